import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DeliverSm } from '../../../../../../lib/smpp/read-message.ts';
import type { Tlvs } from '../../../../../../lib/smpp/tlv.ts';
import {
  readAnyReceipt,
  readUsualReceipt,
  receiptOfDeliver,
} from '../../../../../../services/steps/delivery/providers/smpp/receipt-of-deliver.ts';

const deliverOf = (text: string, more: Partial<DeliverSm> = {}): DeliverSm => ({
  command: 'deliver_sm',
  sourceTon: 1,
  sourceNpi: 1,
  source: '447700900123',
  destinationTon: 5,
  destinationNpi: 0,
  destination: 'smsbatch',
  esmClass: 0x04,
  protocolId: 0,
  dataCoding: 0,
  shortMessage: Buffer.from(text, 'latin1'),
  tlvs: {},
  ...more,
});

const usual = (id: string, stat: string, err: string, text = 'text:Hello') =>
  `id:${id} sub:001 dlvrd:001 submit date:2611250101 done date:2611250102 stat:${stat} err:${err} ${text}`;

test('the usual receipt is read as parseReceipt reads it, however it is bent', () => {
  const word = fc.constantFrom('DELIVRD', 'UNDELIV', 'EXPIRED', 'REJECTD', 'ACCEPTD', 'delivrd', 'ODD', '');
  const id = fc.constantFrom('39f99dd5', '0', '0972660181', 'a b', '', 'x:y');
  const err = fc.constantFrom('000', '1A', '', '-1', 'stat:DELIVRD');
  const text = fc.constantFrom(
    'text:Hello',
    'text:stat:UNDELIV err:9',
    'Text:err:1',
    '',
    'stat:UNDELIV',
    'TEXT :x',
  );
  const tlvs = fc.record<Tlvs>(
    {
      receipted_message_id: fc.constantFrom('tlv-id', ''),
      message_state: fc.constantFrom(0, 1, 2, 5, 8, 9, 77),
      network_error_code: fc.constant(Uint8Array.of(3, 0, 7)),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(id, word, err, text, tlvs, (messageId, stat, error, tail, optional) => {
      const deliver = deliverOf(usual(messageId, stat, error, tail), { tlvs: optional });
      const fast = readUsualReceipt(deliver);
      if (fast) assert.deepEqual(fast, readAnyReceipt(deliver));
    }),
    { numRuns: 2_000 },
  );
});

test('the fast way is taken for what carriers usually send', () => {
  assert.deepEqual(readUsualReceipt(deliverOf(usual('39f99dd5', 'DELIVRD', '000'))), {
    messageId: '39f99dd5',
    state: 'delivered',
    error: '000',
  });
});

const cases: [name: string, deliver: DeliverSm, expected: ReturnType<typeof receiptOfDeliver>][] = [
  [
    'dates in one word, no counts',
    deliverOf('id:7 submitdate:2611250101 donedate:2611250102 stat:UNDELIV err:034'),
    { messageId: '7', msisdn: '447700900123', state: 'undelivered', error: '034', atMs: 5 },
  ],
  [
    'TLVs only',
    deliverOf('', { tlvs: { receipted_message_id: 'abc', message_state: 3 } }),
    { messageId: 'abc', msisdn: '447700900123', state: 'expired', atMs: 5 },
  ],
  [
    'an international source with its plus',
    deliverOf(usual('7', 'DELIVRD', '000'), { source: '+447700900123' }),
    { messageId: '7', msisdn: '447700900123', state: 'delivered', error: '000', atMs: 5 },
  ],
  ['a text that a person wrote', deliverOf('STOP', { esmClass: 0 }), undefined],
  ['a receipt that says nothing', deliverOf('???'), undefined],
];
for (const [name, deliver, expected] of cases) {
  test(name, () => assert.deepEqual(receiptOfDeliver(deliver, 5), expected));
}
