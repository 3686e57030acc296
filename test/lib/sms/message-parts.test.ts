import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batchHashOf, concatReference } from '../../../lib/sms/concat-reference.ts';
import { decodeGsm7 } from '../../../lib/sms/gsm0338.ts';
import { MAX_PART_OCTETS, writePart } from '../../../lib/sms/message-parts.ts';
import { type MessagePlan, planMessage } from '../../../lib/sms/segments.ts';
import { decodeUcs2 } from '../../../lib/sms/ucs2.ts';
import { type ConcatReference, parseUserDataHeader } from '../../../lib/sms/udh.ts';
import { anyText, gsmText, SHRINK_BRIEFLY, wideText } from './texts.ts';

function planned(text: string, reference: ConcatReference): MessagePlan {
  const plan = planMessage(text, { encoding: 'auto', reference });
  assert.ok(plan.ok);
  return plan;
}

test('written parts read back to the text, with one reference, and no part is over 140 octets on air', () => {
  const texts = fc.oneof(anyText(), gsmText(), wideText());
  const kinds = fc.constantFrom<ConcatReference[]>('udh8', 'udh16');
  fc.assert(
    fc.property(texts, kinds, fc.nat(0xffff), fc.nat(20), (text, kind, number, offset) => {
      const plan = planned(text, kind);
      const reference = kind === 'udh8' ? number & 0xff : number;
      let joined = '';
      for (let part = 0; part < plan.segments; part++) {
        const buffer = new Uint8Array(offset + MAX_PART_OCTETS + 1).fill(0xee);
        const written = writePart(plan, text, part, reference, buffer, offset);
        assert.equal(buffer[offset + written.length], 0xee, 'nothing is written behind the part');
        const bytes = buffer.subarray(offset, offset + written.length);
        const header = written.esmClass === 0x40 ? parseUserDataHeader(bytes)! : { octets: 0 };
        assert.equal(written.esmClass, plan.segments > 1 ? 0x40 : 0);
        if (plan.segments > 1) {
          const concatenation = { kind, reference, total: plan.segments, sequence: part + 1 };
          assert.deepEqual(header, { octets: kind === 'udh8' ? 6 : 7, concatenation });
        }
        const body = bytes.subarray(header.octets);
        const gsm = written.dataCoding === 0;
        // Packed, the text begins at the next septet boundary behind the header.
        const bits = gsm ? Math.ceil((header.octets * 8) / 7) * 7 + body.length * 7 : bytes.length * 8;
        assert.ok(bits <= 1120, `${bits} bits`);
        joined += gsm ? decodeGsm7(body) : decodeUcs2(body);
      }
      assert.equal(joined, text);
    }),
    SHRINK_BRIEFLY,
  );
});

test('the octets of the two headers', () => {
  const buffer = new Uint8Array(MAX_PART_OCTETS);
  const text = 'a'.repeat(161);
  writePart(planned(text, 'udh8'), text, 1, 0xab, buffer, 0);
  assert.deepEqual([...buffer.subarray(0, 7)], [5, 0, 3, 0xab, 2, 2, 0x61]);
  writePart(planned(text, 'udh16'), text, 0, 0xabcd, buffer, 0);
  assert.deepEqual([...buffer.subarray(0, 8)], [6, 8, 4, 0xab, 0xcd, 2, 1, 0x61]);
});

test('UCS-2 is big-endian without a byte order mark', () => {
  const buffer = new Uint8Array(MAX_PART_OCTETS);
  const written = writePart(planned('中😀', 'udh8'), '中😀', 0, 0, buffer, 0);
  assert.deepEqual(written, { length: 6, esmClass: 0, dataCoding: 8 });
  assert.deepEqual([...buffer.subarray(0, 6)], [0x4e, 0x2d, 0xd8, 0x3d, 0xde, 0x00]);
});

test('a part that is not there, and a text that is not the planned one, are errors', () => {
  const buffer = new Uint8Array(MAX_PART_OCTETS);
  const plan = planned('hello', 'udh8');
  assert.throws(() => writePart(plan, 'hello', 1, 0, buffer, 0), RangeError);
  assert.throws(() => writePart(plan, '你好', 0, 0, buffer, 0), RangeError);
});

test('other header elements are passed over; what is no header is none', () => {
  const ports = [0x05, 0x04, 0x0b, 0x84, 0x23, 0xf0];
  assert.deepEqual(parseUserDataHeader(Uint8Array.of(11, ...ports, 0, 3, 0, 2, 1, 0x41)), {
    octets: 12,
    concatenation: { kind: 'udh8', reference: 0, total: 2, sequence: 1 },
  });
  assert.deepEqual(parseUserDataHeader(Uint8Array.of(6, ...ports)), { octets: 7 });
  assert.deepEqual(parseUserDataHeader(Uint8Array.of(5, 0, 3, 9, 2, 3)), { octets: 6 });
  assert.deepEqual(parseUserDataHeader(Uint8Array.of(5, 0, 3, 9, 0, 0)), { octets: 6 });
  for (const bytes of [[], [5], [5, 0, 3], [5, 0, 9, 1, 1, 1], [1, 0]]) {
    assert.equal(parseUserDataHeader(Uint8Array.from(bytes)), undefined, String(bytes));
  }
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseUserDataHeader(bytes)));
});

test('references: the same again for the same message, none twice among 256 neighbours, 0 included', () => {
  const hash = batchHashOf('01KB0000000000000000000000');
  const first = Array.from({ length: 256 }, (_, position) => concatReference(hash, position, 'udh8'));
  assert.equal(new Set(first).size, 256);
  assert.ok(first.includes(0));
  assert.deepEqual(
    first,
    first.map((_, position) => concatReference(hash, position, 'udh8')),
  );
  const wide = new Set<number>();
  for (let position = 0; position < 0x10000; position++) wide.add(concatReference(hash, position, 'udh16'));
  assert.equal(wide.size, 0x10000);
  assert.notEqual(batchHashOf('batch-a'), batchHashOf('batch-b'));
});
