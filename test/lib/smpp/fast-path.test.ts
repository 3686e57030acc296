import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodePdu, encodePdu } from '../../../lib/smpp/codec.ts';
import { SmppDecodeError, SmppEncodeError } from '../../../lib/smpp/errors.ts';
import { FrameReader } from '../../../lib/smpp/frames.ts';
import { createMessageView, deliverSmOf, readAnswerId, readMessage } from '../../../lib/smpp/read-message.ts';
import {
  createSubmitSmWriter,
  maxSubmitSmBytes,
  type OutboundMessage,
  submitSmRoom,
} from '../../../lib/smpp/submit-sm.ts';

const int8 = fc.integer({ min: 0, max: 255 });
const letters = (maxLength: number) => fc.string({ maxLength });
const source = fc.record({ ton: int8, npi: int8, addr: letters(20) });

const outbound: fc.Arbitrary<OutboundMessage> = fc.record(
  {
    source,
    destination: fc.stringMatching(/^[0-9]{1,15}$/),
    destinationTon: int8,
    destinationNpi: int8,
    serviceType: letters(5),
    esmClass: int8,
    protocolId: int8,
    priorityFlag: int8,
    dataCoding: int8,
    registeredDelivery: int8,
    validityPeriod: fc.constantFrom('', '000000020630000R'),
    shortMessage: fc.uint8Array({ maxLength: 254 }),
    tlvs: fc.record({ sar_msg_ref_num: fc.nat(65535), message_payload: fc.uint8Array({ maxLength: 2000 }) }),
  },
  { requiredKeys: ['source', 'destination', 'esmClass', 'dataCoding', 'registeredDelivery', 'shortMessage'] },
);

function viaTable(message: OutboundMessage, sequenceNumber: number): Buffer {
  return encodePdu({
    command: 'submit_sm',
    sequenceNumber,
    body: {
      service_type: message.serviceType ?? '',
      source_addr_ton: message.source.ton,
      source_addr_npi: message.source.npi,
      source_addr: message.source.addr,
      dest_addr_ton: message.destinationTon ?? 1,
      dest_addr_npi: message.destinationNpi ?? 1,
      destination_addr: message.destination,
      esm_class: message.esmClass,
      protocol_id: message.protocolId ?? 0,
      priority_flag: message.priorityFlag ?? 0,
      validity_period: message.validityPeriod ?? '',
      registered_delivery: message.registeredDelivery,
      data_coding: message.dataCoding,
      short_message: message.shortMessage,
    },
    tlvs: message.tlvs ?? {},
  });
}

describe('the hand-written paths', () => {
  it('write submit_sm as the table-driven codec does', () => {
    const write = createSubmitSmWriter();
    fc.assert(
      fc.property(
        fc.array(outbound, { maxLength: 4 }),
        fc.integer({ min: 1, max: 0x7fffffff }),
        (messages, sequence) => {
          const out = Buffer.alloc(messages.reduce((sum, message) => sum + submitSmRoom(message), 0));
          let at = 0;
          for (const message of messages) at = write(out, at, sequence, message);
          assert.deepEqual(
            out.subarray(0, at),
            Buffer.concat(messages.map((message) => viaTable(message, sequence))),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it('send a part of a buffer without copying it first', () => {
    const shortMessage = Buffer.from('....hello....');
    const message = {
      source: { ton: 5, npi: 0, addr: 'Shop' },
      destination: '491700000000',
      esmClass: 0,
      dataCoding: 0,
      registeredDelivery: 1,
    };
    const out = Buffer.alloc(maxSubmitSmBytes);
    const end = createSubmitSmWriter()(out, 0, 1, {
      ...message,
      shortMessage,
      shortMessageStart: 4,
      shortMessageEnd: 9,
    });
    const pdu = decodePdu(out.subarray(0, end));
    assert.equal(pdu.command === 'submit_sm' && Buffer.from(pdu.body.short_message).toString(), 'hello');
  });

  it('refuse what does not fit, naming field, value and limit', () => {
    const good: OutboundMessage = {
      source: { ton: 5, npi: 0, addr: 'Shop' },
      destination: '491700000000',
      esmClass: 0,
      dataCoding: 0,
      registeredDelivery: 1,
      shortMessage: Buffer.from('x'),
    };
    const write = createSubmitSmWriter();
    const refuses = (change: Partial<OutboundMessage>, field: string) =>
      assert.throws(
        () => write(Buffer.alloc(2048), 0, 1, { ...good, ...change }),
        (error) => error instanceof SmppEncodeError && error.errors[0]?.field === field,
        field,
      );
    refuses({ destination: '1'.repeat(21) }, 'destination_addr');
    refuses({ destination: '' }, 'destination_addr');
    refuses({ destination: '49\x0f0' }, 'destination_addr');
    refuses({ source: { ton: 5, npi: 0, addr: 'A'.repeat(21) } }, 'source_addr');
    refuses({ source: { ton: 5, npi: 0, addr: 'a\0b' } }, 'source_addr');
    refuses({ source: { ton: 256, npi: 0, addr: 'a' } }, 'source_addr_ton');
    refuses({ serviceType: 'CMTCMT' }, 'service_type');
    refuses({ validityPeriod: '1 day' }, 'validity_period');
    refuses({ shortMessage: Buffer.alloc(255) }, 'short_message');
    refuses({ shortMessage: Buffer.alloc(9), shortMessageEnd: 10 }, 'short_message');
    refuses({ dataCoding: 300 }, 'data_coding');
    refuses({ esmClass: -1 }, 'esm_class');
  });

  it('read deliver_sm as the table-driven codec does', () => {
    const view = createMessageView();
    fc.assert(
      fc.property(outbound, fc.nat(40), (message, padding) => {
        const submit = viaTable(message, 9);
        submit.writeUInt32BE(5, 4);
        const bytes = Buffer.concat([Buffer.alloc(padding, 1), submit, Buffer.alloc(padding, 1)]);
        readMessage(view, bytes, padding, padding + submit.length);
        const deliver = deliverSmOf(view);
        const pdu = decodePdu(submit);
        assert.equal(pdu.command, 'deliver_sm');
        if (pdu.command !== 'deliver_sm') return;
        const { body, tlvs } = pdu;
        const text =
          body.short_message.length > 0 ? body.short_message : Buffer.from(tlvs.message_payload ?? []);
        assert.deepEqual(
          { ...deliver, shortMessage: Buffer.from(deliver.shortMessage) },
          {
            command: 'deliver_sm',
            sourceTon: body.source_addr_ton,
            sourceNpi: body.source_addr_npi,
            source: body.source_addr,
            destinationTon: body.dest_addr_ton,
            destinationNpi: body.dest_addr_npi,
            destination: body.destination_addr,
            esmClass: body.esm_class,
            protocolId: body.protocol_id,
            dataCoding: body.data_coding,
            shortMessage: text,
            tlvs,
          },
        );
        assert.equal(view.sequenceNumber, 9);
        assert.equal(view.registeredDelivery, body.registered_delivery);
      }),
    );
  });

  it('find every cut in a message', () => {
    const message = {
      source: { ton: 1, npi: 1, addr: '49' },
      destination: '49170',
      esmClass: 0,
      dataCoding: 0,
      registeredDelivery: 0,
    };
    const submit = viaTable({ ...message, shortMessage: Buffer.from('hello') }, 1);
    for (let cut = 16; cut < submit.length; cut++) {
      assert.throws(() => readMessage(createMessageView(), submit, 0, cut), SmppDecodeError, `cut at ${cut}`);
    }
  });

  it('read the id of an answer: with body, empty, without the NUL', () => {
    const whole = encodePdu({ command: 'submit_sm_resp', sequenceNumber: 1, body: { message_id: 'aF09' } });
    assert.equal(readAnswerId(whole, 0, whole.length), 'aF09');
    assert.equal(readAnswerId(whole, 0, whole.length - 1), 'aF09');
    assert.equal(readAnswerId(whole, 0, 16), '');
  });
});

describe('frames', () => {
  const pdus = fc.array(
    fc.oneof(
      fc.constant(encodePdu({ command: 'enquire_link', sequenceNumber: 1 })),
      fc
        .uint8Array({ maxLength: 9000 })
        .map((payload) =>
          encodePdu({ command: 'data_sm', sequenceNumber: 2, tlvs: { message_payload: payload } }),
        ),
    ),
    { maxLength: 12 },
  );

  function collect(chunks: Buffer[], maxPduBytes = 66_000) {
    const frames: Buffer[] = [];
    const hostile: number[] = [];
    const reader = new FrameReader(maxPduBytes, {
      onFrame: (bytes, start, end) => frames.push(Buffer.from(bytes.subarray(start, end))),
      onHostileLength: (length) => hostile.push(length),
    });
    for (const chunk of chunks) reader.push(chunk);
    return { frames, hostile };
  }

  it('are the PDUs, however the stream is cut', () => {
    fc.assert(
      fc.property(pdus, fc.array(fc.nat(20_000)), (list, cuts) => {
        const stream = Buffer.concat(list);
        const at = [...cuts.map((cut) => cut % (stream.length + 1)), 0, stream.length].sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, i) => stream.subarray(at[i], end));
        assert.deepEqual(collect(chunks), { frames: list, hostile: [] });
      }),
    );
  });

  it('are the PDUs when they come byte by byte, and when two are cut at every byte', () => {
    const list = [
      encodePdu({ command: 'submit_sm_resp', sequenceNumber: 1, body: { message_id: 'abc' } }),
      encodePdu({ command: 'enquire_link', sequenceNumber: 2 }),
      encodePdu({ command: 'data_sm', sequenceNumber: 3, tlvs: { message_payload: Buffer.alloc(40) } }),
    ];
    const stream = Buffer.concat(list);
    assert.deepEqual(collect([...stream].map((byte) => Buffer.of(byte))).frames, list);
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(
        collect([stream.subarray(0, cut), stream.subarray(cut)]).frames,
        list,
        `cut at ${cut}`,
      );
    }
  });

  for (const length of [0, 15, 66_001, 0xffffffff]) {
    it(`stop at a command_length of ${length}, also when it comes byte by byte`, () => {
      const good = encodePdu({ command: 'enquire_link', sequenceNumber: 1 });
      const bad = Buffer.alloc(16);
      bad.writeUInt32BE(length);
      const stream = Buffer.concat([good, bad, good]);
      assert.deepEqual(collect([stream]), { frames: [good], hostile: [length] });
      assert.deepEqual(collect([...stream].map((byte) => Buffer.of(byte))), {
        frames: [good],
        hostile: [length],
      });
    });
  }
});
