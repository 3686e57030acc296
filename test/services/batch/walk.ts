import assert from 'node:assert/strict';
import type { Command, Verb } from '../../../contracts/commands.ts';
import { noOutcomes, type OutcomeCounts, totalOf } from '../../../contracts/outcomes.ts';
import {
  BATCH_EVENTS,
  type BatchEvent,
  type BatchState,
  isFinal,
  PHASE_EVENTS,
  type PhaseEvent,
  phaseName,
  stateName,
} from '../../../contracts/states.ts';
import type { StepTask } from '../../../contracts/steps.ts';
import type { BatchDocument, StepPlan } from '../../../lib/store/batch-document.ts';
import type { Effect } from '../../../lib/store/effects.ts';
import type { Decision, Facts } from '../../../services/batch/decide/decision.ts';
import { DEFAULT_TASKS_OUT } from '../../../services/batch/decide/phases.ts';
import { decide } from '../../../services/batch/decide.ts';
import { permits } from '../../../services/batch/fsm/transitions.ts';
import { START_MS } from './given.ts';

/** Recipients of each task, in every walk. */
const A_TASK = 10;

type Body = Record<string, unknown>;
export type AnswerKind = 'done' | 'failed' | 'yielded' | 'stop' | 'bare' | 'short';

/**
 * One batch led about by commands and by the answers of its tasks, with what must hold after each turn. It is the model
 * too: which tasks were done is counted here once more, from the answers that were taken.
 */
export class Walk {
  doc: BatchDocument | undefined;
  nowMs = START_MS;
  last: Decision = { kind: 'unchanged' };
  /** Every task message that was ever published: the world may answer any of them, at any time, any number of times. */
  readonly issued: StepTask[] = [];
  readonly steps: StepPlan[];
  readonly tasks: number;
  /** Whether the chain that the registry resolves for a start holds; a step may be gone by then. */
  chainHolds = true;
  private readonly done = new Map<string, Set<number>>();
  private ends = 0;

  constructor(steps: StepPlan[], tasks: number) {
    this.steps = steps;
    this.tasks = tasks;
  }

  get state(): string {
    return this.doc ? stateName(this.doc.state) : 'none';
  }

  get out(): readonly number[] {
    return this.doc?.work?.out ?? [];
  }

  command(verb: Verb, body: Body = {}): void {
    const before = this.doc;
    const facts: Facts = { at: this.nowMs, createHash: JSON.stringify(body.batch ?? null) };
    if (verb === 'create' || verb === 'start' || (verb === 'reconcile' && before?.state.phase === null)) {
      facts.chain = this.chainHolds
        ? { steps: this.steps, findings: [] }
        : { steps: [], findings: [{ field: 'steps/0', value: 'gone', expected: 'a step that exists' }] };
    }
    const command = deepFreeze({ verb, body }) as unknown as Command;
    deepFreeze(before);
    this.last = decide(before, 'b1', command, facts);
    const again = decide(before, 'b1', command, facts);
    assert.deepEqual(again, this.last, 'the same command to the same state decides the same');
    if (this.last.kind !== 'accepted') {
      if (this.last.kind === 'rejected') assert.ok(this.last.error.message.length > 0);
    } else {
      this.doc = this.last.doc;
      this.checkAccepted(before, this.last, command);
    }
    this.checkClocks(verb === 'reconcile' && !body.restored);
  }

  /** The answer to one of the task messages; whether it counts is for the rules to say. */
  answer(task: StepTask, kind: AnswerKind): void {
    const { step, task: n, epoch, incarnation } = task;
    const address = { step, task: n, epoch, incarnation };
    if (kind === 'done') this.command('step-done', { ...address, result: this.resultOf(task) });
    else if (kind === 'bare') this.command('step-done', address);
    else if (kind === 'short')
      this.command('step-done', { ...address, result: shortened(this.resultOf(task)) });
    else if (kind === 'failed')
      this.command('step-failed', { ...address, code: 'boom', message: 'no carrier' });
    else if (kind === 'yielded') this.command('step-yielded', address);
    else this.command('step-yielded', { ...address, stop: { code: '0x0000000A', message: 'wrong sender' } });
  }

  /** The message of a task that is out now. */
  messageOf(n: number): StepTask {
    const { epoch, work, incarnation } = this.doc!;
    const found = this.issued.find(
      (each) =>
        each.task === n &&
        each.epoch === epoch &&
        each.step === work!.step &&
        each.incarnation === incarnation,
    );
    assert.ok(found, `task ${n} is out, and no message of this epoch was ever published`);
    return found;
  }

  private resultOf({ step, config }: StepTask): Body {
    const counts = (given: Partial<OutcomeCounts>) => ({ counts: { ...noOutcomes(), ...given } });
    const total = this.tasks * A_TASK;
    if (step === 'partition') return { total, chunks: this.tasks, tasks: this.tasks };
    if (step === 'preparation') return { ...counts({ pending: A_TASK }), segments: A_TASK };
    if (step === 'delivery') return { ...counts({ accepted: A_TASK }), segments: A_TASK };
    if (step !== 'statistics') return {};
    const accepted = this.doneOf('delivery') * A_TASK;
    if (config.finish && config.restored) return counts({ accepted, unknown: total - accepted });
    return config.finish === 'expire'
      ? counts({ accepted, expired: total - accepted })
      : counts({ accepted, pending: total - accepted });
  }

  private doneOf(step: string): number {
    return this.done.get(step)?.size ?? 0;
  }

  private checkAccepted(
    before: BatchDocument | undefined,
    { doc, effects, hold }: Decision & { kind: 'accepted' },
    { verb, body }: Command,
  ): void {
    const restored = verb === 'reconcile' && 'restored' in body;
    const raised = doc.version - (before?.version ?? 0);
    assert.ok(restored ? raised >= 1 : raised === 1, `the version rises by one, not by ${raised}`);
    assert.ok(doc.epoch >= (before?.epoch ?? 0), 'an epoch never falls');
    this.checkTransitions(before, doc, effects);
    if (restored) this.checkRestored(before!, doc);
    if (before && isFinal(before.state)) assert.deepEqual(doc.state, before.state, 'final means final');
    if (verb === 'step-done') this.countDone(before!, body as StepTask);
    this.checkWork(before, doc, effects);
    if ((verb === 'pause' || verb === 'abort') && !before?.finish && doc.stopping && !before?.stopping) {
      assert.ok(hold || doc.work!.out.length === 0, `${verb} with tasks out asks for hold`);
      assert.ok(hold, `${verb} waits for nothing that is not held`);
    }
    this.checkEnd(effects);
    this.checkCounts(doc, effects);
  }

  /** Answers of the time after the copy are void, nothing goes on by itself, and each task of delivery answers anew. */
  private checkRestored(before: BatchDocument, doc: BatchDocument): void {
    assert.ok(doc.epoch > before.epoch && doc.epoch >= this.nowMs, 'an epoch that no answer can have');
    assert.ok(doc.version >= this.nowMs, 'a version above all that was told');
    if (doc.finish || doc.stopping?.to === 'Aborted' || doc.stopping?.to === 'Expired') return;
    assert.ok(['Pending', 'Pausing', 'Paused'].includes(doc.state.status), stateName(doc.state));
    assert.equal(doc.reason?.code, 'restored');
    if (before.state.phase === 'delivery') this.done.delete('delivery');
  }

  private checkTransitions(before: BatchDocument | undefined, doc: BatchDocument, effects: Effect[]): void {
    let at: BatchState | null = before?.state ?? null;
    for (const { from, to, event, version } of bodiesOf(effects, 'state-changed')) {
      assert.deepEqual(from, at, 'a transition starts where the last one ended');
      assert.equal(version, doc.version);
      const bare = nameOf(event, from);
      assert.ok(permits(bare, from, to), `${event}: ${from && stateName(from)} → ${stateName(to)}`);
      if (from?.phase && to.phase && from.phase !== to.phase) {
        const chain = doc.steps.map(({ type }) => type);
        const forward = chain.indexOf(to.phase) > chain.indexOf(from.phase);
        assert.ok(
          bare === 'Complete' ? forward : to.phase === 'statistics',
          `${event} leads to ${stateName(to)}`,
        );
      }
      if (bare === 'Resume' || bare === 'Retry') {
        assert.ok(doc.epoch > before!.epoch, `${event} begins a new epoch`);
      }
      at = to;
    }
    assert.deepEqual(at, doc.state, 'no state changes without its event');
  }

  private countDone(before: BatchDocument, { step, task, epoch, incarnation }: StepTask): void {
    assert.equal(epoch, before.epoch, 'only answers of this epoch count');
    assert.equal(incarnation, before.incarnation);
    assert.ok(before.work!.out.includes(task), 'only answers of tasks that are out count');
    if (step === 'statistics') return;
    const done = this.done.get(step) ?? new Set();
    assert.ok(!done.has(task), `task ${task} of ${step} counts twice`);
    this.done.set(step, done.add(task));
  }

  private checkWork(before: BatchDocument | undefined, doc: BatchDocument, effects: Effect[]): void {
    const { work } = doc;
    if (!work) return;
    const open = [...work.out, ...work.yielded];
    assert.equal(new Set(open).size, open.length, 'a task is out once');
    assert.ok(
      open.every((n) => n < work.next) && work.next <= work.count,
      'only tasks that were handed out are out',
    );
    const same = before?.work?.step === work.step && before.epoch === doc.epoch;
    const handedOut: number[] = [];
    for (const effect of effects) {
      if (effect.kind !== 'task') continue;
      const { task } = effect;
      assert.equal(task.epoch, doc.epoch);
      if (task.step === work.step) assert.ok(work.out.includes(task.task), 'what is published is out');
      if (!(same && before.work!.out.includes(task.task))) handedOut.push(task.task);
      this.issued.push(structuredClone(task));
    }
    const limit = doc.definition.maxConcurrency ?? DEFAULT_TASKS_OUT;
    if (handedOut.length > 0)
      assert.ok(doc.restored || work.out.length <= limit, `${work.out.length} out, ${limit} may be`);
    for (const n of work.out) this.messageOf(n);
    if (doc.state.phase !== null && ['Paused', 'Failed'].includes(doc.state.status)) {
      assert.equal(work.out.length, 0, `nothing is out in ${stateName(doc.state)}`);
    }
  }

  private checkEnd(effects: Effect[]): void {
    const ended = bodiesOf(effects, 'ended');
    this.ends += ended.length;
    assert.equal(this.ends, isFinal(this.doc!.state) ? 1 : 0, `${this.ends} ends in ${this.state}`);
    for (const { state, total, counts } of ended) {
      assert.equal(state, this.state);
      const sum = totalOf(counts);
      if (state === 'Succeeded' && this.doc!.deliveryBegan) {
        assert.ok(this.doc!.counted, 'the end is decided on a count');
        assert.equal(sum, total, 'the counts of the end sum to the total');
        assert.equal(counts.pending + counts.inFlight, 0, 'a batch succeeds when everyone is final');
        assert.equal(counts.accepted, this.doneOf('delivery') * A_TASK);
        assert.equal(this.doneOf('delivery'), this.tasks, 'nothing is passed over');
      }
    }
  }

  private checkCounts(doc: BatchDocument, effects: Effect[]): void {
    const progress = bodiesOf(effects, 'progress');
    assert.equal(progress.length, 1, 'progress is told once a turn');
    const { version, total, done, tasks } = progress[0]!;
    assert.equal(version, doc.version);
    if (total !== null) {
      for (const [step, counts] of Object.entries(done)) {
        assert.ok(totalOf(counts) <= total, `${step} has counted more than there are`);
        assert.ok(totalOf(counts) <= this.doneOf(step) * A_TASK, `${step} has counted more than was done`);
      }
    }
    assert.ok(tasks.done >= 0 && tasks.done + tasks.out.length <= tasks.count);
  }

  /** Never stuck: what waits for an answer has a clock, and a clock that has rung is wound up again. */
  private checkClocks(lookedAgain: boolean): void {
    const { doc } = this;
    if (!doc || doc.deletedAt !== undefined) return;
    if (doc.wakeAt !== undefined) assert.ok(Number.isFinite(doc.wakeAt), `wakeAt ${doc.wakeAt}`);
    if (isFinal(doc.state)) assert.equal(doc.wakeAt, undefined);
    if (doc.state.phase !== null && ['Running', 'Failed'].includes(doc.state.status)) {
      assert.ok(doc.wakeAt !== undefined, `${this.state} has a deadline`);
    }
    if (lookedAgain && doc.wakeAt !== undefined) {
      assert.ok(doc.wakeAt > this.nowMs, `${this.state} rings again and again after a reconcile`);
    }
  }
}

function shortened(result: Body): Body {
  const { counts, ...rest } = result as { counts?: OutcomeCounts };
  if (!counts) return {};
  return { ...rest, counts: { ...counts, accepted: Math.max(0, counts.accepted - 1) } };
}

type BodyOf<N> = Extract<Effect, { kind: 'event'; event: N }>['body'];

const bodiesOf = <N extends 'state-changed' | 'ended' | 'progress'>(
  effects: Effect[],
  name: N,
): BodyOf<N>[] =>
  effects.flatMap((effect) =>
    effect.kind === 'event' && effect.event === name ? [effect.body as BodyOf<N>] : [],
  );

/** The row's name of an event that carries its phase's. */
function nameOf(event: string, from: BatchState | null): BatchEvent | PhaseEvent {
  const prefix = from?.phase ? phaseName(from.phase) : '';
  const bare = prefix && event.startsWith(prefix) ? event.slice(prefix.length) : event;
  assert.ok(([...BATCH_EVENTS, ...PHASE_EVENTS] as string[]).includes(bare), `${event} is no event`);
  return bare as BatchEvent | PhaseEvent;
}

function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || value instanceof Date || Object.isFrozen(value))
    return value;
  for (const each of Object.values(value)) deepFreeze(each);
  return Object.freeze(value);
}
