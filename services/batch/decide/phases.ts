import { addCounts, noOutcomes, noReceipts, openOf, totalOf } from '../../../contracts/outcomes.ts';
import type { StepTask } from '../../../contracts/steps.ts';
import type { BatchDocument, Reason, StepPlan } from '../../../lib/store/batch-document.ts';
import { emit, setReason, type Turn, transition } from './turn.ts';

/** Tasks of one batch that are out at once, unless `maxConcurrency` says otherwise: large ones share with small ones. */
export const DEFAULT_TASKS_OUT = 8;

/** Steps whose work is cut into tasks by `partition`; the others are one task. */
const CHUNKED_STEPS = new Set(['preparation', 'delivery']);

/** Step that the last count of a batch runs, whatever its chain. */
const COUNTING_STEP = 'statistics';

const plan = (doc: BatchDocument): StepPlan => doc.steps[doc.stepIndex]!;

/** Whether a step is passed over. After a delivery never the count: on it the end is decided. */
export function skips(doc: BatchDocument, step: StepPlan): boolean {
  const condition = step.skipIf;
  if (!condition || (step.type === COUNTING_STEP && doc.deliveryBegan)) return false;
  if (condition.field === 'dryRun') return (doc.dryRun ?? false) === condition.equals;
  if (condition.field === 'tags') return (doc.definition.tags ?? []).includes(String(condition.equals));
  return doc.definition[condition.field] === condition.equals;
}

/** Index of the next step that is not passed over, or undefined at the end of the chain. */
export function nextStep(doc: BatchDocument, from: number): number | undefined {
  for (let index = from; index < doc.steps.length; index++) {
    if (!skips(doc, doc.steps[index]!)) return index;
  }
  return undefined;
}

/** Fires InitialExecute: the first phase that is not passed over becomes Ready and runs. */
export function startChain(turn: Turn): void {
  const { doc } = turn;
  doc.startedAt = turn.at;
  doc.epoch += 1;
  const first = nextStep(doc, 0);
  if (first === undefined) throw new Error('a chain with no step to run');
  doc.stepIndex = first;
  setReason(turn, undefined);
  transition(turn, 'InitialExecute', { phase: plan(doc).type, status: 'Ready' });
  execute(turn);
}

function execute(turn: Turn): void {
  const { doc } = turn;
  const step = plan(doc).type;
  const count = CHUNKED_STEPS.has(step) ? (doc.size?.tasks ?? 0) : 1;
  doc.work = { step, count, next: 0, out: [], yielded: [] };
  if (step === 'delivery') doc.deliveryBegan = true;
  doc.progressAt = turn.at;
  transition(turn, 'Execute', { phase: step, status: 'Running' });
  goOn(turn);
}

/** Hands out what may be out, and completes the phase when nothing is left. */
export function goOn(turn: Turn): void {
  const work = turn.doc.work!;
  if (CHUNKED_STEPS.has(work.step) && !turn.doc.size) {
    failUnsized(turn, work.step);
    return;
  }
  dispatch(turn);
  if (work.out.length === 0 && work.yielded.length === 0 && work.next === work.count) complete(turn);
}

/** Without a partition there are no tasks: the phase would be over, and the batch succeed with nothing sent. */
function failUnsized(turn: Turn, step: string): void {
  setReason(turn, {
    code: 'not-partitioned',
    message: `${step} has no recipients: the batch was not partitioned.`,
  });
  transition(turn, 'Fail', { phase: step, status: 'Failed' });
}

export function dispatch(turn: Turn): void {
  const { doc } = turn;
  const work = doc.work!;
  const limit = doc.definition.maxConcurrency ?? DEFAULT_TASKS_OUT;
  while (work.out.length < limit) {
    const yielded = work.yielded.shift();
    const n = yielded ?? (work.next < work.count ? work.next++ : undefined);
    if (n === undefined) return;
    work.out.push(n);
    turn.effects.push({
      kind: 'task',
      task: taskMessage(doc, n, turn.meta.requestId),
      ...((yielded !== undefined || doc.restored) && { again: true }),
    });
  }
}

/** Hands the tasks that are out once more to the broker: harmless where their message still exists. */
export function republish(turn: Turn): void {
  for (const n of turn.doc.work?.out ?? []) {
    turn.effects.push({ kind: 'task', task: taskMessage(turn.doc, n, turn.meta.requestId), again: true });
  }
}

function taskMessage(doc: BatchDocument, n: number, requestId: string | undefined): StepTask {
  const step = doc.work!.step;
  const config = doc.finish
    ? { finish: doc.finish.expire ? 'expire' : 'abort', ...(doc.restored && { restored: true }) }
    : (doc.steps.find(({ type }) => type === step)?.config ?? {});
  return {
    batchId: doc._id,
    step,
    task: n,
    epoch: doc.epoch,
    incarnation: doc.incarnation,
    config,
    ...(requestId !== undefined && { requestId }),
  };
}

function complete(turn: Turn): void {
  const { doc } = turn;
  const doubt = doc.work!.step === COUNTING_STEP && doc.deliveryBegan ? doubtOf(doc) : undefined;
  if (doubt) {
    setReason(turn, doubt);
    doc.work!.next = 0;
    transition(turn, 'Fail', { phase: COUNTING_STEP, status: 'Failed' });
    return;
  }
  const next = nextStep(doc, doc.stepIndex + 1);
  if (next === undefined) {
    end(turn, 'Succeed', 'Succeeded');
    return;
  }
  doc.stepIndex = next;
  transition(turn, 'Complete', { phase: plan(doc).type, status: 'Ready' });
  execute(turn);
}

/** Why a batch that was delivered cannot succeed yet, by its count: never by a running counter. */
function doubtOf({ counted, size }: BatchDocument): Reason | undefined {
  const total = size?.total ?? 0;
  const covered = counted ? totalOf(counted.counts) : 0;
  if (!counted || covered !== total) {
    return { code: 'not-accounted', message: `The count covers ${covered} of ${total} recipients.` };
  }
  const open = openOf(counted.counts);
  if (open === 0) return undefined;
  return { code: 'not-final', message: `The count found ${open} recipients that have no final outcome.` };
}

/** The batch will not succeed: what is there is counted a last time, then it is final. */
export function finish(turn: Turn, to: 'Failed' | 'Aborted', event?: 'Expire' | 'GiveUp'): void {
  const { doc } = turn;
  delete doc.stopping;
  if (!doc.size) {
    if (to === 'Failed') end(turn, event!, 'Failed');
    else end(turn, 'Aborted', 'Aborted');
    return;
  }
  doc.finish = { to, expire: event === 'Expire' };
  doc.epoch += 1;
  doc.work = { step: COUNTING_STEP, count: 1, next: 0, out: [], yielded: [] };
  doc.progressAt = turn.at;
  if (event) transition(turn, event, { phase: COUNTING_STEP, status: 'Running' });
  dispatch(turn);
}

/** The last count once more, after its task failed or went silent. */
export function recount(turn: Turn): void {
  const { doc } = turn;
  doc.epoch += 1;
  doc.progressAt = turn.at;
  doc.work = { step: COUNTING_STEP, count: 1, next: 0, out: [], yielded: [] };
  dispatch(turn);
}

export function endFinished(turn: Turn): void {
  const { to } = turn.doc.finish!;
  end(turn, to === 'Aborted' ? 'Aborted' : 'Expired', to);
}

function end(
  turn: Turn,
  event: 'Succeed' | 'Aborted' | 'Expire' | 'Expired' | 'GiveUp',
  status: 'Succeeded' | 'Failed' | 'Aborted',
): void {
  const { doc } = turn;
  delete doc.stopping;
  delete doc.finish;
  if (status === 'Succeeded') setReason(turn, undefined);
  transition(turn, event, { phase: null, status });
  doc.endedAt = turn.at;
  emit(turn, 'ended', {
    version: doc.version,
    state: status,
    total: doc.size?.total ?? null,
    counts: countsOf(doc),
    receipts: doc.counted?.receipts ?? noReceipts(),
  });
}

/** Counts of the batch as its actor knows them: the last recount, else the sums of the steps, else all pending. */
export function countsOf(doc: BatchDocument) {
  if (doc.counted) return doc.counted.counts;
  const counts = noOutcomes();
  const known = doc.totals.delivery?.counts ?? doc.totals.preparation?.counts;
  const sum = known ? addCounts(counts, known) : counts;
  return { ...sum, pending: sum.pending + Math.max(0, (doc.size?.total ?? 0) - totalOf(sum)) };
}
