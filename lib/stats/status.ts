import {
  addCounts,
  noOutcomes,
  type OutcomeCounts,
  openOf,
  type ReceiptCounts,
  type ResolvedCounts,
  totalOf,
} from '../../contracts/outcomes.ts';
import type { BatchStatus } from '../../contracts/stats-api.ts';
import { dealtWith, isCountingStep, type ProgressBody, type TaskProgressBody } from './hash.ts';

export interface Sample {
  atMs: number;
  handled: number;
  segments: number;
}

/** Everything that status is made of, from Redis or from MongoDB alike. */
export interface StatusFacts {
  progress: ProgressBody;
  /** Of tasks that are out; others are not looked at. */
  tasks: readonly Pick<TaskProgressBody, 'step' | 'task' | 'counts' | 'segments' | 'resent' | 'limitedBy'>[];
  /** A count of every recipient, from the documents; replaces sums of the tasks once the batch has ended. */
  recount?:
    | {
        at: string;
        counts?: OutcomeCounts | undefined;
        receipts: ReceiptCounts;
        resolved?: ResolvedCounts | undefined;
      }
    | undefined;
  ended?: { at: string; counts: OutcomeCounts; receipts?: ReceiptCounts | undefined } | undefined;
  samples: readonly Sample[];
  asOfMs: number;
}

const FINAL_STATES = new Set(['Succeeded', 'Failed', 'Aborted']);
/** Categories that only `preparation` finds: it has them for the tasks that `delivery` has not begun, too. */
const FOUND_BEFORE_SENDING = ['suppressed', 'duplicate', 'invalid'] as const;

/**
 * The sums of the tasks that are done and out, and for the recipients of the other tasks what `preparation` found: always
 * the total of the batch. Before `partition` there is nothing to sum.
 */
export function countsOf({ progress, tasks }: Pick<StatusFacts, 'progress' | 'tasks'>): OutcomeCounts {
  const { total, done, phase } = progress;
  if (total === null) return noOutcomes();
  const step = phase === 'delivery' || done.delivery ? 'delivery' : 'preparation';
  let known = done[step] ?? noOutcomes();
  for (const task of tasksOut(progress, tasks)) if (task.step === step) known = addCounts(known, task.counts);
  const counts = { ...known };
  let rest = Math.max(0, total - totalOf(known));
  const prepared = done.preparation;
  if (step === 'delivery' && prepared) {
    for (const outcome of FOUND_BEFORE_SENDING) {
      const more = Math.min(rest, Math.max(0, prepared[outcome] - known[outcome]));
      counts[outcome] += more;
      rest -= more;
    }
  }
  counts.pending += rest;
  return counts;
}

/** The tasks' own sums do not know what receipts say of their `unknown`; nor may they have told of all of these yet. */
function withResolved(counts: OutcomeCounts, resolved: ResolvedCounts | undefined): OutcomeCounts {
  if (!resolved) return counts;
  const accepted = Math.min(resolved.accepted, counts.unknown);
  const rejected = Math.min(resolved.rejected, counts.unknown - accepted);
  return {
    ...counts,
    unknown: counts.unknown - accepted - rejected,
    accepted: counts.accepted + accepted,
    rejected: counts.rejected + rejected,
  };
}

function tasksOut(progress: ProgressBody, tasks: StatusFacts['tasks']): StatusFacts['tasks'] {
  const out = new Set(progress.tasks.out);
  return tasks.filter((task) => task.step === progress.phase && out.has(task.task));
}

/** Status and progress of a batch, as `sms.api.batch.status` and `progress` answer them. */
export function statusOf(facts: StatusFacts, nowMs: number): Omit<BatchStatus, 'source'> {
  const { progress, asOfMs } = facts;
  const { state, phase, total } = progress;
  const final = FINAL_STATES.has(state);
  const counted = latestCount(facts);
  const counts = (final && counted.counts) || withResolved(countsOf(facts), facts.recount?.resolved);
  const tasks = tasksOut(progress, facts.tasks);
  const rate = final ? undefined : rateOf(facts.samples, nowMs);
  const ratePerSecond = rate?.perSecond ?? 0;
  const open = openOf(counts);
  const segments = tasks.reduce(
    (sum, task) => sum + (task.step === 'delivery' ? (task.segments ?? 0) : 0),
    progress.segments ?? 0,
  );
  const resent = tasks.reduce((sum, task) => sum + (task.resent ?? 0), progress.resent ?? 0);
  const { receipts } = counted;
  return {
    id: progress.batchId,
    version: progress.version,
    state,
    phase,
    total,
    counts,
    percent: total === null || (total === 0 && !final) ? 0 : total === 0 ? 100 : share(total - open, total),
    phases: phasesOf(facts, counts, final),
    tasks: progress.tasks,
    ratePerSecond,
    segmentsPerSecond: rate?.segmentsPerSecond ?? 0,
    secondsLeft: secondsLeft(facts, counts, ratePerSecond, final),
    limitingFactor: final ? null : mostFrequent(tasks.map((task) => task.limitedBy)),
    segments,
    ...(resent > 0 && { resent }),
    ...(receipts && { receipts }),
    asOf: new Date(asOfMs).toISOString(),
  };
}

/** Receipts and late answers move the counts after the end too; a recount of before the end says less than the end. */
function latestCount({ recount, ended }: StatusFacts) {
  const recountIsLater = recount !== undefined && !(ended && Date.parse(recount.at) < Date.parse(ended.at));
  const [later, earlier] = recountIsLater ? [recount, ended] : [ended, recount];
  return { counts: later?.counts ?? earlier?.counts, receipts: later?.receipts ?? earlier?.receipts };
}

const share = (part: number, whole: number): number => Math.floor((1_000 * part) / whole) / 10;

function phasesOf(facts: StatusFacts, counts: OutcomeCounts, final: boolean): BatchStatus['phases'] {
  const { progress } = facts;
  const phases: BatchStatus['phases'] = {};
  for (const step of Object.keys(progress.done)) phases[step] = { percent: 100 };
  if (progress.phase === null || final) return phases;
  phases[progress.phase] = { percent: phasePercent(facts, counts, progress.phase) };
  return phases;
}

function phasePercent(facts: StatusFacts, counts: OutcomeCounts, step: string): number {
  const { total, tasks } = facts.progress;
  if (isCountingStep(step) && total) {
    return share(step === 'delivery' ? total - openOf(counts) : Math.min(total, dealt(facts, step)), total);
  }
  return tasks.count === 0 ? 0 : share(tasks.done, tasks.count);
}

/** Recipients that a step has dealt with, those of tasks out included. */
const dealt = ({ progress, tasks }: StatusFacts, step: string): number =>
  tasksOut(progress, tasks).reduce(
    (sum, task) => sum + dealtWith(step, task.counts),
    dealtWith(step, progress.done[step]),
  );

function secondsLeft(
  facts: StatusFacts,
  counts: OutcomeCounts,
  ratePerSecond: number,
  final: boolean,
): number | null {
  if (final) return 0;
  const { total, phase } = facts.progress;
  if (total === null || ratePerSecond === 0 || !isCountingStep(phase)) return null;
  const left = phase === 'delivery' ? openOf(counts) : Math.max(0, total - dealt(facts, phase));
  return Math.ceil(left / ratePerSecond);
}

/** Between the oldest and the newest sample; what has stood still since slows the rate down. */
function rateOf(
  samples: readonly Sample[],
  nowMs: number,
): { perSecond: number; segmentsPerSecond: number } | undefined {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last || first === last) return undefined;
  // A task reports once a second: a newest sample of up to two seconds is no standstill.
  const until = nowMs - last.atMs > 2_000 ? nowMs : last.atMs;
  const seconds = (until - first.atMs) / 1_000;
  if (seconds <= 0) return undefined;
  const perSecond = (amount: number) => Math.round((10 * amount) / seconds) / 10;
  return {
    perSecond: perSecond(last.handled - first.handled),
    segmentsPerSecond: perSecond(last.segments - first.segments),
  };
}

function mostFrequent(factors: readonly (string | undefined)[]): string | null {
  const counts = new Map<string, number>();
  for (const factor of factors) if (factor) counts.set(factor, (counts.get(factor) ?? 0) + 1);
  const [first] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return first?.[0] ?? null;
}
