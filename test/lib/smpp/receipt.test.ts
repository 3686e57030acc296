import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isReceipt, parseReceipt, type Receipt } from '../../../lib/smpp/receipt.ts';
import type { Tlvs } from '../../../lib/smpp/tlv.ts';

const doneAt = Date.UTC(2026, 10, 25, 8, 30);
const plain: Receipt = { messageId: '0123', state: 'delivered', final: true, networkError: '000', doneAt };

interface Case {
  what: string;
  text?: string;
  tlvs?: Tlvs;
  esmClass?: number;
  expected: Receipt | undefined;
}

const cases: Case[] = [
  {
    what: 'the example of the specification',
    text: 'id:0123 sub:001 dlvrd:001 submit date:2611250829 done date:2611250830 stat:DELIVRD err:000 text:Hello',
    expected: plain,
  },
  {
    what: 'submitdate and donedate in one word, 12-digit dates',
    text: 'id:0123 sub:001 dlvrd:001 submitdate:261125082900 donedate:261125083000 stat:DELIVRD err:000 Text:Hello',
    expected: plain,
  },
  {
    what: 'dates with four-digit years',
    text: 'id:0123 submit date:202611250829 done date:202611250830 stat:DELIVRD err:000',
    expected: plain,
  },
  { what: 'fourteen digits', text: 'id:0123 done date:20261125083000 stat:DELIVRD err:000', expected: plain },
  {
    what: 'missing sub and dlvrd',
    text: 'id:0123 done date:2611250830 stat:DELIVRD err:000',
    expected: plain,
  },
  {
    what: 'all-zero dates',
    text: 'id:0123 sub:001 dlvrd:001 submit date:0000000000 done date:0000000000 stat:DELIVRD err:000 text:',
    expected: { ...plain, doneAt: undefined },
  },
  {
    what: 'a date that is none',
    text: 'id:0123 done date:9999999999 stat:DELIVRD err:000',
    expected: { ...plain, doneAt: undefined },
  },
  {
    what: 'keys in any case, spaces after the colon, no err',
    text: 'ID: 0123 SUB: 001 Done Date: 2611250830 STAT: Delivrd',
    expected: { ...plain, networkError: undefined },
  },
  {
    what: 'REJECTED in full',
    text: 'id:0123 done date:2611250830 stat:REJECTED err:034',
    expected: { ...plain, state: 'rejected', networkError: '034' },
  },
  ...(
    [
      ['EXPIRED', 'expired', true],
      ['DELETED', 'deleted', true],
      ['UNDELIV', 'undeliverable', true],
      ['FAILED', 'undeliverable', true],
      ['REJECTD', 'rejected', true],
      ['UNKNOWN', 'unknown', true],
      ['ACCEPTD', 'accepted', false],
      ['ACKED', 'accepted', false],
      ['ENROUTE', 'enroute', false],
      ['BUFFERD', 'enroute', false],
      ['SOMETHING', 'unknown', false],
    ] as const
  ).map(([word, state, final]) => ({
    what: `stat:${word}`,
    text: `id:0123 done date:2611250830 stat:${word} err:000`,
    expected: { ...plain, state, final },
  })),
  {
    what: 'the words of a person after text: are not keys',
    text: 'id:0123 done date:2611250830 stat:DELIVRD err:000 text:id:99 stat:UNDELIV',
    expected: plain,
  },
  {
    what: 'the TLVs win: the text cuts the id, and says something else',
    text: 'id:0123 done date:2611250830 stat:ACCEPTD err:000',
    tlvs: { receipted_message_id: '0123-4567-89ab', message_state: 2 },
    expected: { ...plain, messageId: '0123-4567-89ab' },
  },
  {
    what: 'TLVs only, with a network_error_code',
    tlvs: { receipted_message_id: 'ABC', message_state: 5, network_error_code: Uint8Array.of(3, 0, 27) },
    expected: {
      messageId: 'ABC',
      state: 'undeliverable',
      final: true,
      networkError: '027',
      doneAt: undefined,
    },
  },
  {
    what: 'a CSV line falls back to the TLVs',
    text: '0123,447700900000,DELIVERED,2026-11-25 08:30',
    tlvs: { receipted_message_id: '0123', message_state: 2 },
    expected: {
      messageId: '0123',
      state: 'delivered',
      final: true,
      networkError: undefined,
      doneAt: undefined,
    },
  },
  {
    what: 'a CSV line without TLVs is no receipt that can be read',
    text: '0123,447700900000,DELIVERED',
    expected: undefined,
  },
  { what: 'empty', expected: undefined },
  {
    what: 'an intermediate one is not final, whatever it says',
    text: 'id:0123 done date:2611250830 stat:UNDELIV err:000',
    esmClass: 0x20,
    expected: { ...plain, state: 'undeliverable', final: false },
  },
  {
    what: 'an id without a state',
    tlvs: { receipted_message_id: '7' },
    expected: { messageId: '7', state: 'unknown', final: false, networkError: undefined, doneAt: undefined },
  },
  {
    what: 'a state without an id',
    text: 'stat:DELIVRD',
    expected: { messageId: '', state: 'delivered', final: true, networkError: undefined, doneAt: undefined },
  },
  {
    what: 'separated by line ends',
    text: 'id:0123\r\nsub:001\r\ndone date:2611250830\r\nstat:DELIVRD\r\nerr:000',
    expected: plain,
  },
];

describe('receipts', () => {
  for (const { what, text = '', tlvs = {}, esmClass = 0x04, expected } of cases) {
    it(what, () => {
      assert.deepEqual(parseReceipt({ esmClass, shortMessage: Buffer.from(text, 'latin1'), tlvs }), expected);
    });
  }

  it('every message_state has a state, and only those that the specification calls final are', () => {
    const states = [1, 2, 3, 4, 5, 6, 7, 8].map((message_state) =>
      parseReceipt({
        esmClass: 4,
        shortMessage: new Uint8Array(0),
        tlvs: { receipted_message_id: 'a', message_state },
      }),
    );
    assert.deepEqual(
      states.map((receipt) => [receipt?.state, receipt?.final]),
      [
        ['enroute', false],
        ['delivered', true],
        ['expired', true],
        ['deleted', true],
        ['undeliverable', true],
        ['accepted', false],
        ['unknown', true],
        ['rejected', true],
      ],
    );
  });

  it('are told from texts by esm_class or the TLV', () => {
    assert.equal(isReceipt({ esmClass: 0x04, tlvs: {} }), true);
    assert.equal(isReceipt({ esmClass: 0x44, tlvs: {} }), true);
    assert.equal(isReceipt({ esmClass: 0x20, tlvs: {} }), true);
    assert.equal(isReceipt({ esmClass: 0x00, tlvs: { receipted_message_id: 'a' } }), true);
    assert.equal(isReceipt({ esmClass: 0x00, tlvs: {} }), false);
    assert.equal(isReceipt({ esmClass: 0x40, tlvs: {} }), false);
    assert.equal(isReceipt({ esmClass: 0x08, tlvs: {} }), false);
  });

  it('of any bytes never throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: 255 }),
        (shortMessage, esmClass) => {
          parseReceipt({ esmClass, shortMessage, tlvs: {} });
        },
      ),
    );
    const start = performance.now();
    parseReceipt({ esmClass: 4, shortMessage: Buffer.from('id: '.repeat(16_000)), tlvs: {} });
    assert.ok(performance.now() - start < 500, 'a long text must not be slow');
  });
});
