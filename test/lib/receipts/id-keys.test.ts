import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash32 } from '../../../lib/hash/hash32.ts';
import { idKey, otherIdKeys, sameMessageId } from '../../../lib/receipts/id-keys.ts';
import { canonicalMessageId, messageIdVariants } from '../../../lib/smpp/message-id.ts';

const digits = (from: string, maxLength: number) =>
  fc.array(fc.constantFrom(...from), { minLength: 1, maxLength }).map((all) => all.join(''));
const anyId = fc.oneof(
  digits('0123456789', 24),
  digits('0123456789abcdef', 24),
  digits('0123456789ABCDEF', 24),
  digits('0123456789abcdefxyz-', 36),
  fc.string({ maxLength: 20 }),
  digits('0123456789', 5).map((id) => ` 00${id} `),
  fc
    .tuple(fc.constantFrom('\u00a0', '\t', '\u2003', ''), digits('0123456789aF', 6))
    .map(([space, id]) => space + id),
);

test('a key is that of the canonical form', () => {
  fc.assert(
    fc.property(anyId, (id) => {
      const key = hash32(canonicalMessageId(id));
      assert.equal(idKey(id), key);
      assert.equal(idKey(`7\n${id}\n8`, 2, 2 + id.length), key);
    }),
  );
});

test('short and long numbers together have the keys of every variant', () => {
  fc.assert(
    fc.property(anyId, (id) => {
      const all = new Set(messageIdVariants(id).map((variant) => hash32(canonicalMessageId(variant))));
      all.delete(idKey(id));
      assert.deepEqual(new Set(otherIdKeys(id)), all);
    }),
    { numRuns: 5_000 },
  );
});

test('the same number in another dialect is the same id', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), fc.nat({ max: 3 }), (number, zeros) => {
      const hexadecimal = '0'.repeat(zeros) + number.toString(16);
      assert.ok(sameMessageId(hexadecimal, number.toString(10)));
      assert.ok(sameMessageId(number.toString(10), hexadecimal.toUpperCase()));
      assert.ok(
        otherIdKeys(number.toString(10))
          .concat(idKey(number.toString(10)))
          .includes(idKey(hexadecimal)),
      );
    }),
  );
  assert.ok(!sameMessageId('39f99dd5', '0972660182'));
});
