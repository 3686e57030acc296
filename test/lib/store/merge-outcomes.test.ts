import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { totalOf } from '../../../contracts/outcomes.ts';
import { RECEIPT_LETTERS, RECEIPT_STATES } from '../../../contracts/receipts.ts';
import type { OutcomeDocument, ReceiptDocument } from '../../../lib/store/chunk-documents.ts';
import { type LateAnswerEntry, mergeOutcomes } from '../../../lib/store/merge-outcomes.ts';
import { countStatuses, initialColumns } from '../../../lib/store/outcome-columns.ts';
import {
  joinReceipts,
  NO_RECEIPT,
  type ReceiptFact,
  receiptRank,
} from '../../../lib/store/receipt-lattice.ts';

type Outcomes = Parameters<typeof mergeOutcomes>[0];
type Receipts = NonNullable<Parameters<typeof mergeOutcomes>[1]>;

const outcomeOf = (statuses: string, more: Partial<OutcomeDocument> = {}): Outcomes => ({
  ...initialColumns(statuses),
  size: statuses.length,
  counts: countStatuses(statuses),
  ...more,
});

const receiptOf = (states: string, more: Partial<ReceiptDocument> = {}): Receipts => ({
  states,
  errors: '',
  times: '',
  timesFromMs: 0,
  lateAnswers: [],
  ...more,
});

const SIZE = 8;
const letters = fc.array(fc.constantFrom('p', 'a', 'r', 'u', 's', 'd', 'i', 'e'), {
  minLength: SIZE,
  maxLength: SIZE,
});
const fact: fc.Arbitrary<ReceiptFact & { position: number }> = fc.record({
  position: fc.integer({ min: 0, max: SIZE - 1 }),
  letter: fc.constantFrom(...RECEIPT_STATES).map((state) => RECEIPT_LETTERS[state]),
  error: fc.constantFrom('', '001', '045'),
  atMs: fc.integer({ min: 1, max: 5 }),
});
const lateAnswer: fc.Arbitrary<LateAnswerEntry> = fc.record({
  position: fc.integer({ min: 0, max: SIZE - 1 }),
  outcome: fc.constantFrom('accepted' as const, 'rejected' as const),
  messageId: fc.constantFrom('', 'x', 'y'),
  atMs: fc.integer({ min: 1, max: 5 }),
});

/** A receipts service in small: one fact after the other. */
function collect(facts: readonly (ReceiptFact & { position: number })[]): Receipts {
  const known: ReceiptFact[] = Array.from({ length: SIZE }, () => ({
    letter: NO_RECEIPT,
    error: '',
    atMs: 0,
  }));
  for (const { position, ...each } of facts) {
    const before = known[position]!;
    known[position] = joinReceipts(before, each);
    assert.ok(receiptRank(known[position]!.letter) >= receiptRank(before.letter), 'a state never goes back');
  }
  return receiptOf(known.map((each) => each.letter).join(''), {
    errors: known.map((each) => each.error).join('\n'),
    times: known.map((each) => (each.letter === NO_RECEIPT ? '' : each.atMs.toString(36))).join('\n'),
  });
}

const everything = (outcome: Outcomes, receipt: Receipts) => {
  const merged = mergeOutcomes(outcome, receipt);
  return {
    statuses: merged.statuses,
    counts: merged.counts,
    receipts: merged.receipts,
    recipients: Array.from({ length: SIZE }, (_, position) => merged.recipientAt(position)),
  };
};

test('receipts and late answers in any order, each any number of times, give one result', () => {
  fc.assert(
    fc.property(
      letters,
      fc.array(fact, { maxLength: 12 }),
      fc.array(lateAnswer, { maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
      (statuses, facts, late, randoms) => {
        const shuffled = <T>(items: readonly T[]): T[] => {
          const keyed = [...items, ...items].map((item) => ({ item, key: randoms.next().value as number }));
          return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
        };
        const outcome = outcomeOf(statuses.join(''));
        const once = everything(outcome, { ...collect(facts), lateAnswers: late });
        const again = everything(outcome, { ...collect(shuffled(facts)), lateAnswers: shuffled(late) });
        assert.deepEqual(again, once);
      },
    ),
  );
});

test('counts sum to the size, fit the statuses, and receipts never pass the accepted', () => {
  fc.assert(
    fc.property(letters, fc.array(fact), fc.array(lateAnswer), (statuses, facts, lateAnswers) => {
      const outcome = outcomeOf(statuses.join(''));
      const merged = mergeOutcomes(outcome, { ...collect(facts), lateAnswers });
      assert.equal(totalOf(merged.counts), SIZE);
      assert.deepEqual(merged.counts, countStatuses(merged.statuses));
      const { delivered, undelivered, expiredAtCarrier } = merged.receipts;
      assert.ok(delivered + undelivered + expiredAtCarrier <= merged.counts.accepted);
    }),
  );
});

test('more receipts never move a status back', () => {
  const place = (letter: string) => (letter === 'u' ? 0 : letter === 'r' ? 1 : 2);
  fc.assert(
    fc.property(
      letters,
      fc.array(fact),
      fc.array(fact),
      fc.array(lateAnswer),
      (statuses, first, more, late) => {
        const outcome = outcomeOf(statuses.join(''));
        const before = mergeOutcomes(outcome, collect(first)).statuses;
        const after = mergeOutcomes(outcome, { ...collect([...first, ...more]), lateAnswers: late }).statuses;
        for (let i = 0; i < SIZE; i++) {
          if (statuses[i] === 'u') assert.ok(place(after[i]!) >= place(before[i]!));
          else assert.equal(after[i], statuses[i], 'an owner’s outcome stands');
        }
      },
    ),
  );
});

test('unknown is resolved by a late answer, or by a receipt', () => {
  const outcome = outcomeOf('uuuu');
  const merged = mergeOutcomes(
    outcome,
    receiptOf('..d.', {
      lateAnswers: [
        { position: 0, outcome: 'accepted', messageId: 'm 1', atMs: 9 },
        { position: 1, outcome: 'rejected', messageId: '', code: '0x0000000B', atMs: 9 },
      ],
    }),
  );
  assert.equal(merged.statuses, 'arau');
  assert.deepEqual(merged.recipientAt(0), {
    outcome: 'accepted',
    code: '',
    messageIds: ['m', '1'],
    atMs: 9,
    resolvedBy: 'late-answer',
  });
  assert.equal(merged.recipientAt(1).code, '0x0000000B');
  assert.equal(merged.recipientAt(2).resolvedBy, 'receipt');
  assert.equal(merged.recipientAt(3).outcome, 'unknown');
  assert.deepEqual(merged.receipts, { delivered: 1, undelivered: 0, expiredAtCarrier: 0 });
});

test('without a receipt document the outcome document is the whole truth', () => {
  const merged = mergeOutcomes(
    outcomeOf('ar', { ids: '39f99dd5\n', codes: '\n0x0000000B', times: '0\nz', timesFromMs: 1_000 }),
  );
  assert.deepEqual(merged.recipientAt(0), {
    outcome: 'accepted',
    code: '',
    messageIds: ['39f99dd5'],
    atMs: 1_000,
  });
  assert.deepEqual(merged.recipientAt(1), {
    outcome: 'rejected',
    code: '0x0000000B',
    messageIds: [],
    atMs: 1_035,
  });
  assert.throws(() => merged.recipientAt(2), /position 2 of a chunk of 2/);
});
