import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OUTCOME_LETTERS, totalOf } from '../../../contracts/outcomes.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import { countStatuses, initialColumns, OpenChunk } from '../../../lib/store/outcome-columns.ts';

const SIZE = 12;
type Letter = 'a' | 'r' | 'u' | 'e';
type Step =
  | { kind: 'set'; position: number; letter: Letter; code: string; id: string; atMs: number }
  | { kind: 'wait'; position: number; partsAccepted: number }
  | { kind: 'store' };

const position = fc.integer({ min: 0, max: SIZE - 1 });
const text = fc.constantFrom('', '0x0000000B', '39f99dd5', 'a b', 'odd\nid', 'back\\slash');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      position,
      letter: fc.constantFrom<Letter>('a', 'r', 'u', 'e'),
      code: text,
      id: text,
      atMs: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      position,
      partsAccepted: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'store' as const }) },
);

const start = initialColumns('ppppsdippppp', ['', '', '', '', 'LIST', '', 'TOO_SHORT', '', '', '', '', '']);

function apply(chunk: OpenChunk, each: Step): void {
  if (each.kind === 'set' && chunk.isPending(each.position)) {
    chunk.set(each.position, each.letter, each.code, each.id, each.atMs);
  }
  if (each.kind === 'wait' && chunk.isPending(each.position)) {
    // Attempts only ever grow: that is how an older fact is told from a newer document.
    const attempts = (chunk.waitingAt(each.position)?.attempts ?? 0) + 1;
    const { position, partsAccepted } = each;
    chunk.wait({ position, attempts, partsAccepted, notBefore: 5, reference: 7 }, '0x00000008', 'id1');
  }
}

test('columns survive encoding, and counts always sum to the size', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const chunk = new OpenChunk(start);
      for (const each of steps) apply(chunk, each);
      const encoded = chunk.encode();
      assert.equal(totalOf(chunk.counts), SIZE);
      assert.deepEqual(countStatuses(encoded.statuses), chunk.counts);
      assert.deepEqual(new OpenChunk(encoded).encode(), encoded);
    }),
  );
});

test('what was stored, overlaid with the facts, is what the holder knew: whenever it was stored', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const holder = new OpenChunk(start);
      let stored = holder.encode();
      for (const each of steps) {
        apply(holder, each);
        if (each.kind === 'store') {
          const mark = holder.change;
          stored = holder.encode();
          holder.stored(mark);
          assert.equal(holder.facts(), undefined);
        }
      }
      const successor = new OpenChunk(stored);
      const facts = holder.facts();
      if (facts) {
        successor.overlay(facts);
        successor.overlay(facts);
      }
      const known = successor.encode();
      const expected = holder.encode();
      assert.equal(known.statuses, expected.statuses);
      // An id that was there and is gone again leaves a column of empty values, or none.
      assert.deepEqual(splitColumn(known.ids, SIZE), splitColumn(expected.ids, SIZE));
      assert.deepEqual(splitColumn(known.codes, SIZE), splitColumn(expected.codes, SIZE));
      assert.deepEqual([known.timesFromMs, known.times], [expected.timesFromMs, expected.times]);
      const byPosition = (entries: typeof known.waiting) =>
        [...entries].sort((a, b) => a.position - b.position);
      assert.deepEqual(byPosition(known.waiting), byPosition(expected.waiting));
    }),
  );
});

test('a write that was issued before a change does not hide that change', () => {
  const chunk = new OpenChunk(initialColumns('ppp'));
  chunk.set(0, OUTCOME_LETTERS.accepted, '', 'one', 10);
  const mark = chunk.change;
  chunk.set(1, OUTCOME_LETTERS.accepted, '', 'two', 11);
  chunk.stored(mark);
  assert.equal(chunk.facts()?.statuses, '.a.');
  assert.equal(chunk.facts()?.ids, '\ntwo\n');
});

test('a letter that is none is refused', () => {
  assert.throws(() => countStatuses('apz'), /"z" at 2 is no outcome letter/);
});

test('only a pending message can wait', () => {
  const chunk = new OpenChunk(initialColumns('a'));
  assert.throws(
    () => chunk.wait({ position: 0, attempts: 1, notBefore: 0, partsAccepted: 0, reference: 0 }),
    /position 0 is a, not pending/,
  );
});
