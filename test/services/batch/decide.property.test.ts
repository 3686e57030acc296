import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SkipCondition } from '../../../contracts/batch.ts';
import { isFinal } from '../../../contracts/states.ts';
import type { StepPlan } from '../../../lib/store/batch-document.ts';
import { START_MS } from './given.ts';
import { type AnswerKind, Walk } from './walk.ts';

const TIMEOUT_MS = 60_000;
const RUNS = 500;
/** More answers than this to bring a batch to rest, and it never rests. */
const MOST_ANSWERS = 400;

type Action = (walk: Walk) => void;

/** Printed by name in a counterexample, beside the seed and the path that fast-check prints. */
const named = (name: string, action: Action): Action & { toString: () => string } =>
  Object.assign(action, { toString: () => name, [fc.toStringMethod]: () => name });

const command = (verb: Parameters<Walk['command']>[0], body: Record<string, unknown> = {}) =>
  named(`${verb} ${JSON.stringify(body)}`, (walk) => walk.command(verb, body));

const at = (ms: number) => new Date(START_MS + ms).toISOString();

const commands = fc.constantFrom(
  command('start'),
  command('start'),
  command('pause', { operatorId: 'ann', reason: 'typo' }),
  command('pause'),
  command('resume'),
  command('resume'),
  command('retry'),
  command('retry', { filter: { outcomes: ['rejected'] } }),
  command('retry', { filter: { outcomes: ['pending'] }, start: true }),
  command('clone'),
  command('dry-run'),
  command('validate'),
  command('abort'),
  command('delete'),
  command('create', { batch: { name: 'b' } }),
  command('update', { patch: { maxConcurrency: 1 } }),
  command('update', { patch: { maxConcurrency: 6 } }),
  command('update', { patch: { tags: ['skip'] } }),
  command('update', { patch: { tags: [] } }),
  command('update', { patch: { ratePerSecond: 5 } }),
  command('update', { patch: { notAfter: at(600_000) } }),
  command('update', { patch: { scheduleTime: at(300_000), autoTrigger: true } }),
  command('pause', { expectedVersion: 2 }),
);

const reconciles = fc.oneof(
  { weight: 6, arbitrary: fc.constant(command('reconcile')) },
  { weight: 1, arbitrary: fc.constant(command('reconcile', { restored: true })) },
  fc
    .integer({ min: -90_000, max: 90_000 })
    .map((ms) =>
      named(`reconcile, progress ${ms} ms from now`, (walk) =>
        walk.command('reconcile', { progressAt: Math.max(0, walk.nowMs + ms) }),
      ),
    ),
);

const times = fc.oneof(
  fc.integer({ min: 1, max: 40_000 }).map((ms) =>
    named(`${ms} ms pass`, (walk) => {
      walk.nowMs += ms;
    }),
  ),
  fc.constant(
    named('its clock rings', (walk) => {
      walk.nowMs = Math.max(walk.nowMs, walk.doc?.wakeAt ?? 0);
      walk.command('reconcile');
    }),
  ),
  fc.boolean().map((holds) =>
    named(`the chain ${holds ? 'holds' : 'holds no more'}`, (walk) => {
      walk.chainHolds = holds;
    }),
  ),
);

const kinds = fc.constantFrom<AnswerKind>(
  'done',
  'done',
  'done',
  'done',
  'failed',
  'yielded',
  'yielded',
  'stop',
  'bare',
  'short',
);

/** To a task that is out, in any order. */
const fresh = fc.record({ nth: fc.nat(7), kind: kinds }).map(({ nth, kind }) =>
  named(`task out no. ${nth} answers ${kind}`, (walk) => {
    if (walk.out.length > 0) walk.answer(walk.messageOf(walk.out[nth % walk.out.length]!), kind);
  }),
);

/** To any task that ever was: late, doubled, of an epoch that is over. */
const late = fc.record({ nth: fc.nat(500), kind: kinds }).map(({ nth, kind }) =>
  named(`message no. ${nth} is answered ${kind}`, (walk) => {
    const task = walk.issued[nth % Math.max(1, walk.issued.length)];
    if (task) walk.answer(task, kind);
  }),
);

/** All that is out ends well: without it a walk seldom leaves the first phases. */
const phaseEnds = fc.constant(
  named('the phase ends well', (walk) => {
    const phase = walk.doc?.work?.step;
    for (let n = 0; n < 20 && walk.out.length > 0 && walk.doc?.work?.step === phase; n++) {
      walk.answer(walk.messageOf(walk.out[0]!), 'done');
    }
  }),
);

const actions = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: commands },
    { weight: 2, arbitrary: reconciles },
    { weight: 3, arbitrary: times },
    { weight: 7, arbitrary: fresh },
    { weight: 3, arbitrary: late },
    { weight: 5, arbitrary: phaseEnds },
  ),
  { maxLength: 60 },
);

const skipIf: SkipCondition = { field: 'tags', equals: 'skip' };

const chains = fc
  .constantFrom(
    ['validation', 'partition', 'preparation', 'delivery', 'statistics'],
    ['validation', 'partition', 'preparation', 'delivery', 'statistics'],
    ['partition', 'preparation', 'credit-check', 'delivery', 'statistics', 'cleanup'],
    ['validation', 'partition', 'preparation', 'statistics'],
    ['validation'],
    ['credit-check'],
  )
  .chain((types) =>
    fc.tuple(
      ...types.map((type) =>
        fc
          .oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean())
          .map((skips): StepPlan => ({ type, config: {}, timeoutMs: TIMEOUT_MS, ...(skips && { skipIf }) })),
      ),
    ),
  );

const batches = fc.record(
  {
    maxConcurrency: fc.integer({ min: 1, max: 4 }),
    notAfter: fc.constantFrom(at(1), at(120_000), at(86_400_000)),
    scheduleTime: fc.constantFrom(at(-1), at(60_000), at(86_400_001)),
    autoTrigger: fc.boolean(),
    tags: fc.constantFrom(['skip'], ['other']),
  },
  { requiredKeys: [] },
);

const setUps = fc.record({
  steps: chains,
  tasks: fc.integer({ min: 0, max: 5 }),
  batch: batches,
  start: fc.boolean(),
});

function begin({
  steps,
  tasks,
  batch,
  start,
}: typeof setUps extends fc.Arbitrary<infer T> ? T : never): Walk {
  const walk = new Walk(steps, tasks);
  walk.command('create', {
    batch: { name: 'b', content: 'hi', tableStorageName: 't', ...batch },
    ...(start && { start }),
  });
  return walk;
}

function run(walk: Walk, given: readonly Action[]): void {
  for (const action of given) {
    walk.nowMs += 1;
    action(walk);
  }
}

/** Every task that is out answers, the count last of all. */
function settle(walk: Walk, kind: AnswerKind): void {
  for (let n = 0; walk.out.length > 0 || walk.doc!.finish; n++) {
    assert.ok(n < MOST_ANSWERS, `${walk.state} never comes to rest`);
    walk.nowMs += 1;
    if (walk.out.length === 0) {
      // The last count has failed: its clock tries it again.
      walk.nowMs = Math.max(walk.nowMs, walk.doc!.wakeAt!);
      walk.command('reconcile');
    }
    const task = walk.messageOf(walk.out[0]!);
    walk.answer(task, task.step === 'statistics' ? 'done' : kind);
  }
}

const isGone = (walk: Walk) => !walk.doc || walk.doc.deletedAt !== undefined;
const check = <T>(property: fc.IProperty<T>) =>
  fc.assert(property, { numRuns: RUNS, includeErrorInReport: true });

describe('a batch, whatever comes in whatever order', () => {
  it('keeps its rules in every turn', () => {
    check(
      fc.property(setUps, actions, (setUp, given) =>
        run(begin(setUp), given),
      ) as unknown as fc.IProperty<never>,
    );
  });

  it('can be aborted from every state that is not final, and then comes to its end', () => {
    check(
      fc.property(setUps, actions, (setUp, given) => {
        const walk = begin(setUp);
        run(walk, given);
        if (isGone(walk) || isFinal(walk.doc!.state)) return;
        walk.command('abort', { reason: 'enough' });
        assert.ok(['accepted', 'unchanged'].includes(walk.last.kind), JSON.stringify(walk.last));
        settle(walk, 'yielded');
        assert.ok(isFinal(walk.doc!.state), `${walk.state} after an abort and every answer`);
      }),
    );
  });

  it('comes to rest after a pause and every answer, and goes on from there to its end', () => {
    check(
      fc.property(setUps, actions, fc.constantFrom<AnswerKind>('yielded', 'done'), (setUp, given, kind) => {
        const walk = begin(setUp);
        run(walk, given);
        if (isGone(walk) || isFinal(walk.doc!.state)) return;
        walk.command('pause');
        // A Scheduled batch has nothing that runs: it waits.
        if (walk.last.kind === 'rejected' || walk.state === 'Pending') return;
        settle(walk, kind);
        assert.match(walk.state, /(Paused|Failed|Succeeded|Aborted)$/);
        if (walk.state.endsWith('Paused')) walk.command('resume');
        else if (walk.state.endsWith('Failed') && walk.state !== 'Failed') walk.command('retry');
        settle(walk, 'done');
        assert.ok(
          isFinal(walk.doc!.state) || walk.state.endsWith('Failed'),
          `${walk.state} after a resume and every answer`,
        );
      }),
    );
  });
});
