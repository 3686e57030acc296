import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addCounts, noOutcomes, type OutcomeCounts, totalOf } from '../../../contracts/outcomes.ts';
import { countsOf, type StatusFacts, statusOf } from '../../../lib/stats/status.ts';

const counts = (some: Partial<OutcomeCounts>): OutcomeCounts => ({ ...noOutcomes(), ...some });

const factsOf = (more: Partial<StatusFacts['progress']>, rest: Partial<StatusFacts> = {}): StatusFacts => ({
  progress: {
    batchId: 'b',
    at: '2026-11-24T12:00:00.000Z',
    version: 3,
    state: 'DeliveryRunning',
    phase: 'delivery',
    total: 1_000,
    done: { preparation: counts({ pending: 900, invalid: 60, duplicate: 40 }) },
    tasks: { count: 10, done: 0, out: [] },
    ...more,
  },
  tasks: [],
  samples: [],
  asOfMs: Date.parse('2026-11-24T12:00:00.000Z'),
  ...rest,
});

/** A batch in the middle of delivery: tasks done, out (reported or not yet), and not begun. */
const taskState = fc.record({
  size: fc.integer({ min: 0, max: 100 }),
  invalid: fc.integer({ min: 0, max: 5 }),
  accepted: fc.integer({ min: 0, max: 100 }),
  rejected: fc.integer({ min: 0, max: 100 }),
  at: fc.constantFrom('done', 'out', 'silent', 'untouched'),
});

test('counts sum to the total, and what preparation found shows at every moment', () => {
  fc.assert(
    fc.property(fc.array(taskState, { maxLength: 8 }), (states) => {
      let prepared = noOutcomes();
      let done = noOutcomes();
      let invalid = 0;
      const tasks: StatusFacts['tasks'][number][] = [];
      const out: number[] = [];
      states.forEach(({ size, accepted, rejected, at, ...state }, task) => {
        const bad = Math.min(state.invalid, size);
        const a = Math.min(accepted, size - bad);
        const r = Math.min(rejected, size - bad - a);
        invalid += bad;
        prepared = addCounts(prepared, counts({ invalid: bad, pending: size - bad }));
        const now = counts({ invalid: bad, accepted: a, rejected: r, pending: size - bad - a - r });
        if (at === 'done') done = addCounts(done, now);
        if (at === 'out' || at === 'silent') out.push(task);
        if (at === 'out') tasks.push({ step: 'delivery', task, counts: now });
      });
      const total = totalOf(prepared);
      const shown = countsOf(
        factsOf(
          { total, done: { preparation: prepared, delivery: done }, tasks: { count: 8, done: 0, out } },
          { tasks },
        ),
      );
      assert.equal(totalOf(shown), total);
      assert.equal(shown.invalid, invalid);
    }),
  );
});

test('a task that is not out is not counted: it is in the sums already', () => {
  const tasks = [
    { step: 'delivery', task: 1, counts: counts({ accepted: 100 }) },
    { step: 'delivery', task: 2, counts: counts({ accepted: 50, pending: 50 }) },
  ];
  const facts = factsOf(
    {
      done: {
        preparation: counts({ pending: 1_000 }),
        delivery: counts({ accepted: 90, rejected: 10 }),
      },
      tasks: { count: 10, done: 1, out: [2] },
    },
    { tasks },
  );
  assert.deepEqual(countsOf(facts), counts({ accepted: 140, rejected: 10, pending: 850 }));
});

test('before partition there is no total, and nothing is counted', () => {
  const status = statusOf(
    factsOf({ total: null, phase: 'validation', state: 'ValidationRunning', done: {} }),
    0,
  );
  assert.equal(status.total, null);
  assert.equal(totalOf(status.counts), 0);
  assert.equal(status.percent, 0);
  assert.equal(status.secondsLeft, null);
});

test('percent, rate, time left and the limiting factor of a delivery', () => {
  const atMs = Date.parse('2026-11-24T12:00:00.000Z');
  const tasks = [
    {
      step: 'delivery',
      task: 0,
      counts: counts({ accepted: 250, pending: 50 }),
      segments: 500,
      limitedBy: 'rate',
    },
    {
      step: 'delivery',
      task: 1,
      counts: counts({ accepted: 50, pending: 250 }),
      segments: 100,
      resent: 3,
      limitedBy: 'rate',
    },
    { step: 'delivery', task: 2, counts: counts({ pending: 300 }), limitedBy: 'window' },
  ];
  const status = statusOf(
    factsOf(
      { tasks: { count: 3, done: 0, out: [0, 1, 2] } },
      {
        tasks,
        samples: [
          { atMs: atMs - 10_000, handled: 100, segments: 200 },
          { atMs, handled: 300, segments: 600 },
        ],
      },
    ),
    atMs + 500,
  );
  assert.equal(status.ratePerSecond, 20);
  assert.equal(status.segmentsPerSecond, 40);
  assert.equal(status.segments, 600);
  assert.equal(status.resent, 3);
  assert.equal(status.percent, 40);
  assert.deepEqual(status.phases, { preparation: { percent: 100 }, delivery: { percent: 40 } });
  assert.equal(status.secondsLeft, 30);
  assert.equal(status.limitingFactor, 'rate');
});

test('a rate falls when nothing has moved for a while', () => {
  const samples = [
    { atMs: 0, handled: 0, segments: 0 },
    { atMs: 10_000, handled: 1_000, segments: 1_000 },
  ];
  const rateAt = (nowMs: number) => statusOf(factsOf({}, { samples }), nowMs).ratePerSecond;
  assert.equal(rateAt(11_000), 100);
  assert.equal(rateAt(20_000), 50);
});

test('preparation has its own percent: it leaves most recipients pending', () => {
  const status = statusOf(
    factsOf(
      {
        phase: 'preparation',
        state: 'PreparationRunning',
        done: { preparation: counts({ pending: 290, invalid: 10 }) },
        tasks: { count: 4, done: 1, out: [1] },
      },
      { tasks: [{ step: 'preparation', task: 1, counts: counts({ pending: 100 }) }] },
    ),
    0,
  );
  assert.equal(status.phases.preparation?.percent, 40);
  assert.equal(status.percent, 1);
  assert.deepEqual(status.counts, counts({ pending: 990, invalid: 10 }));
});

test('after the end the last count shows: that of the end, or a later recount', () => {
  const ended = {
    at: '2026-11-24T12:00:00.000Z',
    counts: counts({ accepted: 990, unknown: 10 }),
    receipts: { delivered: 5, undelivered: 0, expiredAtCarrier: 0 },
  };
  const final = { state: 'Succeeded', phase: null } as const;
  const early = {
    at: '2026-11-24T11:59:00.000Z',
    counts: counts({ accepted: 500, pending: 500 }),
    receipts: { delivered: 1, undelivered: 0, expiredAtCarrier: 0 },
  };
  const shown = (recount?: StatusFacts['recount']) => statusOf(factsOf(final, { ended, recount }), 0);
  assert.deepEqual(shown().counts, ended.counts);
  assert.deepEqual([shown(early).counts, shown(early).receipts], [ended.counts, ended.receipts]);
  const receipts = { delivered: 900, undelivered: 20, expiredAtCarrier: 0 };
  const late = { at: '2026-11-24T12:05:00.000Z', receipts };
  assert.deepEqual([shown(late).counts, shown(late).receipts], [ended.counts, receipts]);
  const resolved = { ...late, counts: counts({ accepted: 995, unknown: 5 }) };
  assert.deepEqual(shown(resolved).counts, resolved.counts);
  assert.equal(shown(resolved).percent, 100);
  assert.equal(shown(resolved).secondsLeft, 0);
});

test('what receipts say of messages in doubt shows while the batch goes on, and never more than were in doubt', () => {
  const facts = (unknown: number) =>
    factsOf(
      { done: { delivery: counts({ accepted: 500 - unknown, unknown, pending: 500 }) } },
      {
        recount: {
          at: '2026-11-24T12:00:00.000Z',
          receipts: { delivered: 0, undelivered: 0, expiredAtCarrier: 0 },
          resolved: { accepted: 100, rejected: 20 },
        },
      },
    );
  const { accepted, rejected, unknown } = statusOf(facts(130), 0).counts;
  assert.deepEqual({ accepted, rejected, unknown }, { accepted: 470, rejected: 20, unknown: 10 });
  assert.deepEqual(statusOf(facts(30), 0).counts, counts({ accepted: 500, pending: 500 }));
});
