import type { ScheduleInput } from '../../contracts/schedule.ts';
import type { RunOutcome, ScheduleState, ScheduleVerb } from '../../contracts/schedule-api.ts';

/** A schedule as it is stored: `in` has become `at`. */
export type ScheduleDefinition = Omit<ScheduleInput, 'in'>;

/** A message that a decision asks for. Its id is made of the decision, so that a second publish is the same message. */
export interface RunMessage {
  subject: string;
  /** The stream that takes it; null: none does, a plain publish. */
  stream: string | null;
  body: object | string;
  msgId: string;
  headers?: Record<string, string>;
}

/** What one decision has to publish, kept until the next: whoever meets its cause again publishes it again. */
export interface OutboxEntry {
  /** `due:<dueAt>`, `end:<runId>`, `run:<requestId>`, `change:<version>`. */
  cause: string;
  messages: RunMessage[];
  /** When it was decided, ms since 1970. */
  at?: number;
}

export interface RunRecord {
  /** Due time; of a run by hand, when it was asked for. ms since 1970, as all times here. */
  dueAt: number;
  decidedAt: number;
  outcome: RunOutcome;
  /** Absent where nothing was started. */
  runId?: string;
  batchId?: string;
  reason?: string;
  manual?: boolean;
  /** Of a run by hand: who asked finds it by this. */
  requestId?: string;
  endedAt?: number;
  result?: unknown;
}

/** A run whose end is not known yet. */
export interface ActiveRun {
  runId: string;
  dueAt: number;
  since: number;
  batchId?: string;
  /** Of a task: without an outcome by then it counts as lost. */
  deadlineAt?: number;
}

/** One change of the definition or the state: who, when, why. */
export interface ChangeRecord {
  version: number;
  at: number;
  verb: ScheduleVerb;
  requestId?: string;
  operatorId?: string;
  reason?: string;
}

/** `schedules`, one document a schedule. No index but `_id`: each would double what a fire costs. */
export interface ScheduleDocument {
  _id: string;
  /** Raised by changes of what is scheduled, not by runs: a timer carries it, and an older one is stale. */
  version: number;
  /** Raised by every write; each write is filtered on the one before. */
  revision: number;
  createHash: string;
  /** One of the default tasks: kept when it is cancelled, so that it is not created again. */
  byDefault?: boolean;
  definition: ScheduleDefinition;
  /** Of a target `publish`: the stream that takes it. */
  stream?: string | null;
  state: ScheduleState;
  paused?: { at: number; note?: string; by?: string };
  /** The run that is armed: its due time, and with the jitter when it fires. */
  next?: { dueAt: number; fireAt: number };
  started: number;
  failuresInARow: number;
  active: ActiveRun[];
  /** The due time of a run that waits for the one before. */
  buffered?: number;
  /** The last ten, newest last. */
  runs: RunRecord[];
  outbox: OutboxEntry[];
  /** Batches of ended runs, oldest first, where the history has limits. */
  kept?: { succeeded: string[]; failed: string[] };
  /** The newest changes, oldest first. */
  history: ChangeRecord[];
  /** Counts writes that only asked for the journal (schedule-store.ts). */
  syncs?: number;
  createdAt: number;
  updatedAt: number;
}
