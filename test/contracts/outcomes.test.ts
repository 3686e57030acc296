import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { check } from '../../contracts/check.ts';
import {
  addCounts,
  addReceipts,
  FINAL_OUTCOMES,
  noOutcomes,
  noReceipts,
  OUTCOME_LETTERS,
  OUTCOME_OF_LETTER,
  OUTCOMES,
  type Outcome,
  OutcomeCounts,
  openOf,
  totalOf,
} from '../../contracts/outcomes.ts';

/** Recipients, one outcome each: the identity holds because nobody has two, and nobody has none. */
const recipients = fc.array(fc.constantFrom(...OUTCOMES), { maxLength: 200 });

function count(list: readonly Outcome[]): OutcomeCounts {
  const counts = noOutcomes();
  for (const outcome of list) counts[outcome]++;
  return counts;
}

describe('outcomes', () => {
  it('sum to the total, whatever the outcomes are', () => {
    fc.assert(
      fc.property(recipients, (list) => {
        const counts = count(list);
        const { pending, inFlight, accepted, rejected, unknown, suppressed, duplicate, invalid, expired } =
          counts;
        assert.equal(totalOf(counts), list.length);
        assert.equal(
          totalOf(counts),
          pending + inFlight + accepted + rejected + unknown + suppressed + duplicate + invalid + expired,
        );
        assert.equal(openOf(counts), list.filter((each) => !isFinal(each)).length);
      }),
    );
  });

  it('add up over tasks in any order', () => {
    fc.assert(
      fc.property(recipients, recipients, recipients, (a, b, c) => {
        const whole = count([...a, ...b, ...c]);
        assert.deepEqual(addCounts(addCounts(count(a), count(b)), count(c)), whole);
        assert.deepEqual(addCounts(count(c), addCounts(count(b), count(a))), whole);
        assert.deepEqual(addCounts(count(a), noOutcomes()), count(a));
      }),
    );
    assert.deepEqual(addReceipts(noReceipts(), noReceipts()), noReceipts());
  });

  it('have the same names everywhere: in the list, the schema, the letters and the empty count', () => {
    const names = [...OUTCOMES];
    assert.deepEqual(Object.keys(OutcomeCounts.properties), names);
    assert.deepEqual(Object.keys(noOutcomes()), names);
    assert.deepEqual(Object.keys(OUTCOME_LETTERS), names);
    assert.deepEqual(Object.values(OUTCOME_OF_LETTER), names);
    assert.equal(new Set(Object.values(OUTCOME_LETTERS)).size, names.length, 'a letter means one outcome');
    assert.ok(check(OutcomeCounts, noOutcomes()).ok);
    assert.equal(check(OutcomeCounts, { ...noOutcomes(), sent: 1 }).ok, false, 'sent is no word of ours');
  });

  it('are open or final, never both: pending and inFlight are open', () => {
    assert.deepEqual(
      OUTCOMES.filter((outcome) => !isFinal(outcome)),
      ['pending', 'inFlight'],
    );
  });
});

const isFinal = (outcome: Outcome) => (FINAL_OUTCOMES as readonly Outcome[]).includes(outcome);
