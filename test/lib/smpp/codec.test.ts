import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import smpp from 'smpp';
import { decodePdu, encodePdu } from '../../../lib/smpp/codec.ts';
import { SmppDecodeError, SmppEncodeError } from '../../../lib/smpp/errors.ts';
import { type Field, layouts } from '../../../lib/smpp/layout.ts';
import { type CommandName, commandIds, isResponse } from '../../../lib/smpp/pdu.ts';
import { type TlvName, type Tlvs, tlvTable } from '../../../lib/smpp/tlv.ts';

const commands = Object.keys(layouts) as CommandName[];

/** deepEqual tells objects without a prototype apart. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });
const int8 = fc.integer({ min: 0, max: 255 });
const text = (maxLength: number) =>
  fc.string({ unit: fc.integer({ min: 1, max: 126 }).map((c) => String.fromCharCode(c)), maxLength });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

function valueFor(field: Field): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'int8':
      return int8;
    case 'cString':
      return text(field.maxOctets - 1);
    case 'time':
      return fc.constantFrom('', '261125083000000+', '000000020630000R');
    case 'shortMessage':
      return bytes(254);
    case 'destinations':
      return fc.array(
        fc.oneof(
          plain({ dest_addr_ton: int8, dest_addr_npi: int8, destination_addr: text(20) }),
          plain({ dl_name: text(20) }),
        ),
        { maxLength: 20 },
      );
    case 'unsuccessful':
      return fc.array(
        plain({
          dest_addr_ton: int8,
          dest_addr_npi: int8,
          destination_addr: text(20),
          error_status_code: fc.integer({ min: 0, max: 0xffffffff }),
        }),
        { maxLength: 20 },
      );
  }
}

function tlvValue(name: TlvName): fc.Arbitrary<unknown> {
  const entry = tlvTable[name];
  const one: Record<string, fc.Arbitrary<unknown>> = {
    int8,
    int16: fc.integer({ min: 0, max: 0xffff }),
    int32: fc.integer({ min: 0, max: 0xffffffff }),
    cString: text(60),
    // npm smpp has one byte here where SMPP 3.4 has none or some.
    bytes:
      name === 'alert_on_message_delivery'
        ? fc.uint8Array({ minLength: 1, maxLength: 1 }).map((b) => Buffer.from(b))
        : bytes(300),
  };
  const value = one[entry.kind]!;
  return 'repeats' in entry ? fc.array(value, { minLength: 1, maxLength: 3 }) : value;
}

const tlvNames = Object.keys(tlvTable) as TlvName[];
/** npm smpp cannot tell a TLV from a field of the same name: query_sm_resp has a message_state of its own. */
const tlvsFor = (command: CommandName) =>
  fc
    .uniqueArray(fc.constantFrom(...tlvNames.filter((name) => !(name in layouts[command]))), { maxLength: 4 })
    .chain((names) =>
      plain(Object.fromEntries(names.map((name) => [name, tlvValue(name)]))),
    ) as fc.Arbitrary<Tlvs>;

const sequenceNumber = fc.integer({ min: 1, max: 0x7fffffff });

function pduOf(command: CommandName) {
  const fields = Object.entries<Field>(layouts[command]).map(([name, field]) => [name, valueFor(field)]);
  return fc.record({ body: plain(Object.fromEntries(fields)), tlvs: tlvsFor(command), sequenceNumber });
}

/** npm smpp's view of TLVs: one-byte alert_on_message_delivery, everything else as ours. */
function foreignTlvs(ours: Record<string, unknown>): Record<string, unknown> {
  const alert = ours.alert_on_message_delivery as Buffer | undefined;
  return alert === undefined ? ours : { ...ours, alert_on_message_delivery: alert[0] };
}

describe('codec against npm smpp', () => {
  before(() => {
    // Its filters turn bytes into text and dates by guesses of its own; here it is the judge of the wire only.
    for (const filter of Object.values(smpp.filters)) {
      filter.encode = (value) => value;
      filter.decode = (value) => value;
    }
  });

  for (const command of commands) {
    it(`${command}: what we encode it decodes to the same, and the other way round`, () => {
      fc.assert(
        fc.property(pduOf(command), ({ body, tlvs: optional, sequenceNumber: sequence }) => {
          const ours = encodePdu({ command, sequenceNumber: sequence, body: body as never, tlvs: optional });
          const theirs = new smpp.PDU(ours);
          assert.equal(theirs.command, command);
          assert.equal(theirs.sequence_number, sequence);
          for (const [name, value] of Object.entries({ ...body, ...foreignTlvs(optional) })) {
            assert.deepEqual(theirs[name], value, name);
          }
          const foreign = new smpp.PDU(command, {
            sequence_number: sequence,
            ...body,
            ...foreignTlvs(optional),
          }).toBuffer();
          assert.deepEqual(foreign, ours, 'the same bytes');
          const back = decodePdu(foreign);
          assert.deepEqual(back, {
            command,
            commandStatus: 0,
            sequenceNumber: sequence,
            body,
            tlvs: optional,
          });
        }),
        { numRuns: 60 },
      );
    });

    it(`${command}: cut at any byte it is an error or, for a response, empty fields; never anything else`, () => {
      fc.assert(
        fc.property(pduOf(command), fc.nat(), ({ body, tlvs: optional, sequenceNumber: sequence }, at) => {
          const whole = encodePdu({ command, sequenceNumber: sequence, body: body as never, tlvs: optional });
          const cut = Buffer.from(whole.subarray(0, at % whole.length));
          if (cut.length >= 4) cut.writeUInt32BE(cut.length, 0);
          try {
            assert.equal(decodePdu(cut).command, command);
          } catch (error) {
            assert.ok(error instanceof SmppDecodeError, String(error));
          }
        }),
        { numRuns: 60 },
      );
    });
  }

  for (const command of commands.filter((name) => isResponse(commandIds[name]))) {
    it(`${command}: a refusal is a bare header, for both`, () => {
      const ours = encodePdu({ command, sequenceNumber: 7, commandStatus: 0x58 });
      assert.equal(ours.length, 16);
      assert.deepEqual(new smpp.PDU(command, { command_status: 0x58, sequence_number: 7 }).toBuffer(), ours);
      assert.equal(decodePdu(ours).commandStatus, 0x58);
    });
  }
});

describe('codec limits', () => {
  for (const command of commands) {
    for (const [name, field] of Object.entries<Field>(layouts[command])) {
      if (field.kind !== 'cString') continue;
      it(`${command}.${name}: takes ${field.maxOctets - 1} characters, and names the limit at one more`, () => {
        const encode = (value: string) =>
          encodePdu({ command, sequenceNumber: 1, body: { [name]: value } as never });
        encode('x'.repeat(field.maxOctets - 1));
        const value = 'x'.repeat(field.maxOctets);
        assert.throws(
          () => encode(value),
          (error) =>
            error instanceof SmppEncodeError &&
            error.errors[0]?.field === name &&
            error.errors[0].value === value &&
            error.errors[0].expected.includes(String(field.maxOctets - 1)),
        );
        assert.throws(() => encode('a\0b'), SmppEncodeError);
        assert.throws(() => encode('签名'), SmppEncodeError);
      });
    }
  }

  it('refuses 255 bytes of short_message, a wrong time, a number out of range, 255 destinations', () => {
    const submit = (body: object) => encodePdu({ command: 'submit_sm', sequenceNumber: 1, body });
    submit({ short_message: Buffer.alloc(254) });
    assert.throws(
      () => submit({ short_message: Buffer.alloc(255) }),
      /short_message is "255 bytes", expected at most 254/,
    );
    assert.throws(() => submit({ validity_period: '2611250830' }), /validity_period/);
    assert.throws(() => submit({ esm_class: 256 }), /esm_class is "256", expected an integer from 0 to 255/);
    const many = Array.from({ length: 255 }, () => ({ dl_name: 'x' }));
    assert.throws(
      () => encodePdu({ command: 'submit_multi', sequenceNumber: 1, body: { dest_address: many } }),
      /at most 254/,
    );
    assert.throws(
      () => encodePdu({ command: 'submit_sm', sequenceNumber: 1, tlvs: { qos_time_to_live: -1 } }),
      /qos_time_to_live/,
    );
  });

  it('keeps unknown TLVs, and known ones of a wrong length, raw', () => {
    const unknown = [
      { tag: 0x1500, value: Buffer.from('vendor') },
      { tag: 0x0427, value: Buffer.from([1, 2]) },
    ];
    const pdu = decodePdu(
      encodePdu({ command: 'deliver_sm', sequenceNumber: 1, tlvs: { unknown, message_state: 2 } }),
    );
    assert.deepEqual(pdu.tlvs, { unknown, message_state: 2 });
  });

  it('takes a receipted_message_id without its NUL, and drops a last TLV that claims more than there is', () => {
    const withoutNul = [{ tag: 0x001e, value: Buffer.from('abc') }];
    const bytesOf = encodePdu({ command: 'deliver_sm', sequenceNumber: 1, tlvs: { unknown: withoutNul } });
    assert.equal(decodePdu(bytesOf).tlvs.receipted_message_id, 'abc');
    const longer = Buffer.concat([bytesOf, Buffer.from([0x04, 0x27, 0x00, 0x09, 2])]);
    longer.writeUInt32BE(longer.length, 0);
    assert.deepEqual(decodePdu(longer).tlvs, { receipted_message_id: 'abc' });
  });

  it('answers an unknown command with the status of the specification', () => {
    const unknownCommand = encodePdu({ command: 'enquire_link', sequenceNumber: 1 });
    unknownCommand.writeUInt32BE(0x00010000, 4);
    assert.throws(
      () => decodePdu(unknownCommand),
      (error) => error instanceof SmppDecodeError && error.commandStatus === 3,
    );
  });

  it('reads garbage without any other error than its own', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom(...commands),
        fc.boolean(),
        (noise, command, framed) => {
          const buffer = Buffer.concat([Buffer.alloc(16), noise]);
          if (framed) {
            buffer.writeUInt32BE(buffer.length, 0);
            buffer.writeUInt32BE(commandIds[command], 4);
          } else Buffer.from(noise).copy(buffer);
          try {
            decodePdu(buffer);
          } catch (error) {
            assert.ok(error instanceof SmppDecodeError, String(error));
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
