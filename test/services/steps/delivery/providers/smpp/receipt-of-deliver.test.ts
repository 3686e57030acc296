import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodePdu } from '../../../../../../lib/smpp/codec.ts';
import {
  createMessageView,
  type DeliverSm,
  type MessageView,
  readMessage,
} from '../../../../../../lib/smpp/read-message.ts';
import type { Tlvs } from '../../../../../../lib/smpp/tlv.ts';
import {
  receiptOfDeliver,
  receiptOfView,
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

/** The same deliver_sm as it lies in the socket's buffer. */
function viewOf(deliver: DeliverSm): MessageView {
  const bytes = encodePdu({
    command: 'deliver_sm',
    commandStatus: 0,
    sequenceNumber: 7,
    body: {
      source_addr: deliver.source,
      destination_addr: deliver.destination,
      esm_class: deliver.esmClass,
      short_message: deliver.shortMessage,
    },
    tlvs: deliver.tlvs,
  } as never);
  const view = createMessageView();
  readMessage(view, bytes, 0, bytes.length);
  return view;
}

test('the usual receipt is read where it lies as parseReceipt reads it, however it is bent', () => {
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
    'text:\u00e9\u0000 a text that is longer than what is quoted',
  );
  const tlvs = fc.record<Tlvs>(
    {
      receipted_message_id: fc.constantFrom('tlv-id', '39f99dd5', ''),
      message_state: fc.constantFrom(0, 1, 2, 5, 8, 9, 77),
      network_error_code: fc.constant(Uint8Array.of(3, 0, 7)),
    },
    { requiredKeys: [] },
  );
  let usuals = 0;
  fc.assert(
    fc.property(id, word, err, text, tlvs, (messageId, stat, error, tail, optional) => {
      const deliver = deliverOf(usual(messageId, stat, error, tail), { tlvs: optional });
      const fast = receiptOfView(viewOf(deliver));
      if (!fast) return;
      usuals += 1;
      assert.deepEqual(fast, receiptOfDeliver(deliver));
    }),
    { numRuns: 4_000 },
  );
  assert.ok(usuals > 0);
});

test('the fast way is taken for what carriers usually send', () => {
  const read = {
    messageId: '39f99dd5',
    msisdn: '447700900123',
    state: 'delivered',
    error: '',
    sender: 'smsbatch',
    text: 'Hello',
    submitToDoneMs: 60_000,
  };
  const text = usual('39f99dd5', 'DELIVRD', '000');
  assert.deepEqual(receiptOfView(viewOf(deliverOf(text))), read);
  const tlvs = { receipted_message_id: '39f99dd5', message_state: 2 };
  assert.deepEqual(receiptOfView(viewOf(deliverOf(text, { tlvs }))), read);
  assert.deepEqual(receiptOfView(viewOf(deliverOf(text, { source: '+447700900123' }))), read);
});

test('a text of a person that looks like a receipt is none', () => {
  const deliver = deliverOf(usual('39f99dd5', 'DELIVRD', '000'), { esmClass: 0 });
  assert.equal(receiptOfView(viewOf(deliver)), undefined);
  assert.equal(receiptOfDeliver(deliver), undefined);
});

const plain = {
  messageId: '',
  msisdn: '447700900123',
  state: 'delivered',
  error: '',
  sender: 'smsbatch',
  text: '',
  submitToDoneMs: undefined,
} as const;

const cases: [name: string, deliver: DeliverSm, expected: ReturnType<typeof receiptOfDeliver>][] = [
  [
    'dates in one word, no counts',
    deliverOf('id:7 submitdate:2611250101 donedate:2611250102 stat:UNDELIV err:034'),
    { ...plain, messageId: '7', state: 'undelivered', error: '034', submitToDoneMs: 60_000 },
  ],
  [
    'TLVs only',
    deliverOf('', { tlvs: { receipted_message_id: 'abc', message_state: 3 } }),
    { ...plain, messageId: 'abc', state: 'expired' },
  ],
  [
    'an international source with its plus',
    deliverOf(usual('7', 'DELIVRD', '000'), { source: '+447700900123' }),
    { ...plain, messageId: '7', text: 'Hello', submitToDoneMs: 60_000 },
  ],
  [
    'a longer text, dates that make no sense',
    deliverOf(
      'id:7 submit date:2611250102 done date:2611250101 stat:DELIVRD text: Twenty characters, no more',
    ),
    { ...plain, messageId: '7', text: ' Twenty characters, ' },
  ],
  ['a text that a person wrote', deliverOf('STOP', { esmClass: 0 }), undefined],
  ['a receipt that says nothing', deliverOf('???'), undefined],
];
for (const [name, deliver, expected] of cases) {
  test(name, () => assert.deepEqual(receiptOfDeliver(deliver), expected));
}
