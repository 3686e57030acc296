import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inDoubt, openChunks } from '../../../lib/journal/in-doubt.ts';
import { resolvedBy, resolveInDoubt } from '../../../lib/journal/resolve-in-doubt.ts';
import { initialColumns, OpenChunk } from '../../../lib/store/outcome-columns.ts';
import { place } from '../../../lib/store/task-document.ts';

const SIZE = 6;
const waitingOf = (position: number, attempts = 1) => ({
  position,
  attempts,
  notBefore: 0,
  partsAccepted: 0,
  reference: 0,
});

test('in doubt is what was authorised without outcome or fact, and what was authorised again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('p', 'a', 'u', 'd'), { minLength: SIZE, maxLength: SIZE }),
      fc.uniqueArray(fc.nat(SIZE - 1)),
      fc.uniqueArray(fc.nat(SIZE - 1)),
      fc.nat(SIZE),
      fc.nat(SIZE),
      (letters, waits, againAt, from, to) => {
        const chunk = new OpenChunk(initialColumns(letters.join('')));
        const waiting = waits.filter((position) => letters[position] === 'p');
        for (const position of waiting) chunk.wait(waitingOf(position));
        const again = againAt.map((position) => place(2, position));
        const task = { cursor: place(2, from), authorisedTo: place(2, to), again };
        const found = inDoubt(task, 2, chunk);
        for (let position = 0; position < SIZE; position++) {
          const authorised = position >= from && position < to;
          const expected =
            letters[position] === 'p' &&
            (againAt.includes(position) || (authorised && !waiting.includes(position)));
          assert.equal(found.includes(position), expected);
        }
      },
    ),
  );
});

test('open are the chunks from the cursor to what is authorised, those of facts, and those sent again', () => {
  const columns = initialColumns('');
  const task = {
    cursor: place(3, 0),
    authorisedTo: place(4, 500),
    again: [place(1, 5)],
    facts: [{ index: 7, columns }],
  };
  assert.deepEqual(openChunks(task), [1, 3, 4, 7]);
  assert.deepEqual(openChunks({ cursor: 0, authorisedTo: 0, again: [], facts: [] }), []);
  // A chunk of which the first place is authorised is open.
  assert.deepEqual(openChunks({ cursor: 0, authorisedTo: place(1, 0) + 1, again: [], facts: [] }), [0, 1]);
});

test('held: unknown. Resent: waits ten seconds and is counted, three times at most', () => {
  const held = new OpenChunk(initialColumns('pp'));
  assert.deepEqual(resolveInDoubt(held, [1], 'hold', 1_000), { resent: 0 });
  assert.equal(held.encode().statuses, 'pu');
  const resent = new OpenChunk(initialColumns('pp'));
  resent.wait(waitingOf(0, 3));
  assert.deepEqual(resolveInDoubt(resent, [0, 1], 'resend', 1_000), { resent: 1 });
  assert.equal(resent.encode().statuses, 'up');
  assert.equal(resent.waitingAt(1)?.notBefore, 11_000);
});

test('held: of a long message the ids of the parts that were accepted stay, so that their receipts tell of it', () => {
  const held = new OpenChunk(initialColumns('pp'));
  held.wait({ ...waitingOf(0), partsAccepted: 2, parts: 3 }, '', 'm1 m2 ');
  resolveInDoubt(held, [0, 1], 'hold', 1_000);
  assert.deepEqual([held.encode().statuses, held.encode().ids], ['uu', 'm1 m2 \n']);
});

test('a look at the receipts before anything is sent again', () => {
  const receipt = {
    states: '.d..',
    lateAnswers: [
      { position: 2, outcome: 'rejected' as const, messageId: '', code: '0x0000000B', atMs: 1 },
      { position: 2, outcome: 'accepted' as const, messageId: 'm', atMs: 2 },
    ],
  };
  assert.equal(resolvedBy(receipt, 0), undefined);
  assert.equal(resolvedBy(receipt, 1)?.outcome, 'accepted');
  assert.equal(resolvedBy(receipt, 2)?.messageId, 'm');
  assert.equal(resolvedBy(undefined, 2), undefined);
});
