import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliveryReceipt } from '../../../contracts/receipts.ts';
import { contradicts, type SentMessage } from '../../../services/receipts/contradicts.ts';

const MINUTE_MS = 60_000;
const at = 1_700_000_000_000;
const receipt: DeliveryReceipt = { messageId: '1', msisdn: '447700900123', state: 'delivered', atMs: at };
const sent: SentMessage = {
  sender: '+447700900999',
  text: 'Hello World, this is a long text',
  sentFromMs: at - MINUTE_MS,
};

const cases: [
  what: string,
  receipt: Partial<DeliveryReceipt>,
  sent: Partial<SentMessage>,
  expected: boolean,
][] = [
  ['nothing but the number', {}, {}, false],

  ['older than the sending', {}, { sentFromMs: at + 2 * MINUTE_MS }, true],
  ['the clocks of two hosts differ', {}, { sentFromMs: at + MINUTE_MS / 2 }, false],
  ['submitted ten minutes before, sent since', { submitToDoneMs: 10 * MINUTE_MS }, { sentFromMs: at }, true],
  ['dates of minutes only', { submitToDoneMs: 2 * MINUTE_MS }, { sentFromMs: at }, false],
  ['it may have come late', { submitToDoneMs: 0 }, { sentFromMs: at - 600 * MINUTE_MS }, false],
  ['clocks put forward between the dates', { submitToDoneMs: 61 * MINUTE_MS }, { sentFromMs: at }, false],
  [
    'two hours, whatever the clocks',
    { submitToDoneMs: 125 * MINUTE_MS },
    { sentFromMs: at - MINUTE_MS },
    true,
  ],

  ['its sender', { sender: '447700900999' }, {}, false],
  ['with zeros in front', { sender: '00447700900999' }, {}, false],
  ['without the country', { sender: '7700900999' }, {}, false],
  ['another number', { sender: '447700900998' }, {}, true],
  ['a name where it was a number', { sender: 'Shop' }, {}, false],
  ['another name', { sender: 'Bank' }, { sender: 'Shop' }, true],
  ['a name that was cut', { sender: 'SHOPPINGCEN' }, { sender: 'ShoppingCentre' }, false],
  ['the account’s own sender', { sender: 'Bank' }, { sender: undefined }, false],

  ['its text', { text: 'Hello World, this is' }, {}, false],
  ['in capitals, marks lost', { text: 'HELLO WORLD THIS IS' }, {}, false],
  ['of a later part', { text: 'is a long text' }, {}, false],
  ['another text', { text: 'Your code is 123456' }, {}, true],
  ['a placeholder', { text: 'none' }, {}, false],
  ['hexadecimal', { text: '00480065006C006C006F' }, {}, false],
  ['octets of an alphabet', { text: '\u0004\u001f\u0004@Another text' }, {}, false],
  ['a text that every alphabet writes its own way', { text: 'Caffe e te' }, { text: 'Caffè e tè' }, false],
];
for (const [what, more, moreSent, expected] of cases) {
  test(what, () => {
    assert.equal(contradicts({ ...receipt, ...more }, { ...sent, ...moreSent }), expected);
  });
}
