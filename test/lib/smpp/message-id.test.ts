import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalMessageId, messageIdVariants } from '../../../lib/smpp/message-id.ts';

function matches(a: string, b: string): boolean {
  const variants = new Set(messageIdVariants(a));
  return messageIdVariants(b).some((variant) => variants.has(variant));
}

describe('message id variants', () => {
  for (const [submitted, receipted, why] of [
    [
      '39f99dd5',
      '0972660181',
      'jasmin#1034: hexadecimal in the answer, decimal with a zero in front in the receipt',
    ],
    ['0972660181', '39F99DD5', 'the other way round, upper-cased'],
    ['00ABCdef12', 'abcdef12', 'case and zeros'],
    ['18446744073709551615', 'ffffffffffffffff', '64 bits'],
    ['340282366920938463463374607431768211455', 'f'.repeat(32), '128 bits'],
    [
      '3d1f0a52-7b1c-4f8e-9c6e-0f4b2a6d1e00',
      '3D1F0A52-7B1C-4F8E-9C6E-0F4B2A6D1E00',
      'an upper-cased UUID (jasmin#916)',
    ],
    ['0d1f0a52-7b1c', 'D1F0A52-7B1C', 'a UUID that lost its zero (jasmin#643)'],
    [' 17 ', '17', 'spaces'],
  ] as const) {
    it(`${submitted} is ${receipted}: ${why}`, () => assert.ok(matches(submitted, receipted)));
  }

  it('start with the raw id, and do not take different ids for one', () => {
    assert.equal(messageIdVariants('00Ab')[0], '00Ab');
    assert.deepEqual(messageIdVariants(''), []);
    assert.deepEqual(messageIdVariants('0'), ['0']);
    assert.ok(!matches('msg-10', 'msg-a'));
    assert.ok(!matches('9007199254740993', '9007199254740992'), 'Number would round these to one');
    assert.equal(canonicalMessageId(' 00Ab '), 'ab');
    assert.equal(canonicalMessageId('000'), '0');
  });

  it('meet for every number in hexadecimal and decimal, with zeros and in any case', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        fc.nat(4),
        fc.boolean(),
        (id, zeros, upper) => {
          const hex = '0'.repeat(zeros) + id.toString(16);
          assert.ok(matches(upper ? hex.toUpperCase() : hex, id.toString(10)));
        },
      ),
    );
  });

  it('of any text end in time', () => {
    fc.assert(fc.property(fc.string(), (id) => messageIdVariants(id).length <= 7));
    assert.ok(messageIdVariants('9'.repeat(60_000)).length <= 2);
  });
});
