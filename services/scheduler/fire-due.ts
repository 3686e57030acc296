import type { JsMsg } from '@nats-io/jetstream';
import {
  commandSubject,
  deadSubject,
  parseDueSubject,
  STREAMS,
  scheduleTimer,
} from '../../contracts/subjects.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import type { Outcome } from '../../lib/nats/outcome.ts';
import { lastRestore } from '../../lib/store/restores.ts';
import { arm } from '../../lib/timers/timer.ts';
import { endedRuns } from './ended-runs.ts';
import { countRuns } from './metrics.ts';
import { nextDueIn } from './plan.ts';
import { type DueMessage, decideFire } from './pure/fire.ts';
import type { ScheduleDocument } from './schedule-document.ts';
import { readSchedules, syncSchedules, writeSchedules } from './schedule-store.ts';
import { keepArmed, publishCause, type SchedulerDeps, timerOf } from './transact.ts';

interface Due {
  message: JsMsg;
  id: string;
  due: DueMessage;
  /** Time of the server at which it fired. */
  firedAt: number;
}

/** Others write the same schedules; after so many rounds the rest comes again. */
const ROUNDS = 5;

/**
 * What the server has fired, in groups: decided and stored in one bulk of compare-and-sets, then published, the next runs
 * armed, acknowledged. A crash at any point is repaired by redelivery: what is stored is published again as it was.
 */
export async function fireDue(deps: SchedulerDeps, messages: readonly JsMsg[]): Promise<Outcome[]> {
  const outcomes = new Map<JsMsg, Outcome>();
  const schedules: Due[] = [];
  await Promise.all(
    messages.map(async (message) => {
      const subject = parseDueSubject(message.subject);
      const due = subject?.kind === 'schedule' ? readDue(message) : undefined;
      if (subject && due) schedules.push({ message, id: subject.id, due, firedAt: timeOf(message) });
      else if (subject?.kind === 'batch') outcomes.set(message, await wakeBatch(deps, subject.id, message));
      else
        outcomes.set(
          message,
          await bury(deps, message, 'no due run: {"version": …, "dueAt": …} is expected'),
        );
    }),
  );
  await fireSchedules(deps, schedules, outcomes);
  return messages.map((message) => outcomes.get(message) ?? { nak: 1_000 });
}

const timeOf = (message: JsMsg): number => Math.floor(message.info.timestampNanos / 1_000_000);

function readDue(message: JsMsg): DueMessage | undefined {
  try {
    const { version, dueAt } = message.json<Partial<DueMessage>>();
    if (typeof version === 'number' && typeof dueAt === 'number') return { version, dueAt };
  } catch {
    // Falls through: it is buried.
  }
  return undefined;
}

/** A batch's own scheduleTime: its actor decides, by its own document. */
async function wakeBatch({ publisher }: SchedulerDeps, batchId: string, message: JsMsg): Promise<Outcome> {
  await publisher.publish({
    subject: commandSubject(batchId, 'reconcile'),
    stream: STREAMS.commands,
    msgId: `due:${batchId}:${message.info.streamSequence}:${message.info.timestampNanos}`,
    body: {},
  });
  return 'ack';
}

const bury = ({ publisher }: SchedulerDeps, message: JsMsg, reason: string): Promise<Outcome> =>
  deadLetter(publisher, message, {
    stream: STREAMS.dead,
    subject: deadSubject(STREAMS.schedules, message.subject),
    reason,
  });

async function fireSchedules(deps: SchedulerDeps, all: Due[], outcomes: Map<JsMsg, Outcome>): Promise<void> {
  let waiting = all;
  let undecided: Decided[] = [];
  for (let round = 0; round < ROUNDS && waiting.length > 0; round++) {
    const docs = await read(deps, waiting);
    const { decided, again, stale } = await decide(deps, waiting, docs);
    for (const { message } of stale) outcomes.set(message, 'ack');
    deps.metrics.stale.inc(stale.length);

    const stored = await writeSchedules(
      deps.schedules,
      decided.map(({ before, doc }) => ({ before, doc })),
    );
    for (const { before, doc, firedAt } of stored ? decided : confirmed(undecided, again)) {
      countRuns(deps.metrics, before, doc);
      const lateMs = latestOf(deps, firedAt) - (before.next?.fireAt ?? firedAt);
      deps.metrics.lateness.observe(Math.max(0, lateMs) / 1000);
    }
    undecided = stored ? [] : decided;
    if (again.length > 0) await syncSchedules(deps.schedules, again.at(-1)!.id);
    const ready = stored ? [...again, ...decided] : again;
    await Promise.all(
      ready.map(async ({ message, doc, cause }) => {
        await publishCause(deps, doc, cause);
        await armNext(deps, doc);
        outcomes.set(message, 'ack');
      }),
    );
    // Of two runs of one schedule in a group, the second is decided on what the first has made of it.
    waiting = waiting.filter(({ message }) => !outcomes.has(message));
  }
}

/** Two clocks: a run is never early by ours where the server has fired it. */
const latestOf = ({ now }: SchedulerDeps, firedAt: number): number => Math.max(now(), firedAt);

async function read(
  { schedules }: SchedulerDeps,
  due: readonly Due[],
): Promise<Map<string, ScheduleDocument>> {
  const ids = [...new Set(due.map(({ id }) => id))];
  const docs = await readSchedules(schedules, ids);
  return new Map(docs.map((doc) => [doc._id, doc]));
}

interface Ready extends Due {
  doc: ScheduleDocument;
  cause: string;
}

type Decided = Ready & { before: ScheduleDocument };

/** Of a bulk in which one write met another revision: those that are stored as we decided them. */
const confirmed = (tried: readonly Decided[], found: readonly Ready[]): Decided[] =>
  tried.filter(({ id, doc }) => found.some((each) => each.id === id && each.doc.revision === doc.revision));

async function decide(deps: SchedulerDeps, waiting: readonly Due[], docs: Map<string, ScheduleDocument>) {
  const ended = await endedRuns(deps.store, [...docs.values()], deps.now());
  const restoredAt = await lastRestore(deps.store.db);
  const decided: Decided[] = [];
  const again: Ready[] = [];
  const stale: Due[] = [];
  const taken = new Set<string>();
  for (const each of waiting) {
    const before = docs.get(each.id);
    if (!before) {
      stale.push(each);
      continue;
    }
    if (taken.has(each.id)) continue;
    const decision = decideFire(before, each.due, {
      nowMs: latestOf(deps, each.firedAt),
      nextDue: nextDueIn(before.definition),
      ended: ended.get(each.id) ?? [],
      restoredAt,
    });
    if (decision.kind === 'stale') {
      deps.log.debug({ scheduleId: each.id, ...each.due, why: decision.why }, 'a timer is stale');
      stale.push(each);
    } else if (decision.kind === 'again') again.push({ ...each, doc: before, cause: decision.cause });
    else {
      taken.add(each.id);
      decided.push({ ...each, before, doc: decision.doc, cause: decision.cause });
    }
  }
  return { decided, again, stale };
}

/** After a timer has fired nothing stands on its subject: one publish. Where something does, what it is decides. */
async function armNext(deps: SchedulerDeps, doc: ScheduleDocument): Promise<void> {
  const timer = timerOf(doc);
  if (!timer) return;
  if (!(await arm(deps.publisher, scheduleTimer(doc._id), timer))) await keepArmed(deps, doc._id);
}
