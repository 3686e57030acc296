import type { Logger } from 'pino';
import type { TSchema } from 'typebox';
import type { Finding } from '../../contracts/errors.ts';
import type { OutcomeCounts, ReceiptCounts } from '../../contracts/outcomes.ts';
import type { StepResult, StepTask, StepYielded } from '../../contracts/steps.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { TaskDocument } from '../../lib/store/task-document.ts';
import type { TaskChanges } from '../../lib/tasks/take.ts';

/** Where a custom step may stand in a chain: behind and in front of which other step. */
export interface StepPlace {
  after?: string;
  before?: string;
}

/** One type of step: what a task of it does. Built in, plugged in by a folder beside this one, or a user's own. */
export interface Step {
  /** A subject token, as `preparation` (contracts/ids.ts). */
  type: string;
  description?: string;
  place?: StepPlace;
  /** What a chain may say under `config`; absent: nothing. */
  configSchema?: TSchema;
  /** Tasks of this type that one process works on at once. */
  concurrency?: number;
  /** Deadline without progress where the chain names none, ms. */
  defaultTimeoutMs: number;
  /**
   * Works on one task. May be called again for the same task, on another host, after any of its writes.
   * @throws StepFailure when the batch itself is at fault; anything else is ours, and the task comes back
   */
  run(context: StepContext): Promise<StepOutcome>;
  /** Accounts for a task that is held before any work, as after the death of its holder. */
  settle?(context: StepContext): Promise<StepResult | undefined>;
}

/** Of a task that someone else has taken meanwhile. */
export type RefusedWrite = 'intent' | 'outcomes' | 'journal' | 'progress' | 'end';

export type Guard = 'go' | 'hold' | 'lost';

export interface StepContext {
  /** As taken: `ownerSeq` is the fence of every write. */
  task: TaskDocument;
  message: StepTask;
  /** As it was when the task was taken; only the actor writes it. */
  batch: BatchDocument;
  store: Store;
  log: Logger;
  /** Aborts when the service stops: end at the next boundary with `left`. */
  signal: AbortSignal;
  /**
   * To be called with each chunk's write: stores how far the work has come, publishes it, and tells whether to go on.
   * `hold`: stop and answer `yielded`. `lost`: someone else has the task, stop without a word.
   */
  guard(changes?: TaskChanges): Promise<Guard>;
  /** Counts a write of ours that met another holder's `ownerSeq`. */
  refused(write: RefusedWrite): void;
  /** For a step that stores its own progress (delivery): publishes it, at most once a second. */
  progress(report: ProgressReport): void;
}

/** Absolute sums of one task, with the version under which they are stored in its document. */
export interface ProgressReport {
  version: number;
  counts: OutcomeCounts;
  receipts?: ReceiptCounts;
  segments?: number;
  resent?: number;
  limitedBy?: string;
}

export type StepOutcome =
  /** `forget`: the task document goes, too, once the answer is out. */
  | { kind: 'done'; result?: StepResult; forget?: boolean }
  /** Stopped by a hold, everything accounted; `stop` asks that the batch pauses itself. */
  | { kind: 'yielded'; result?: StepResult; stop?: NonNullable<StepYielded['stop']> }
  /** The service stops: another host goes on at once from what is stored. */
  | { kind: 'left' }
  /** Someone else has the task. */
  | { kind: 'lost' };

/** The batch itself is at fault: its phase fails with this, and can be retried. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  readonly code: string;
  readonly findings: Finding[];

  constructor(code: string, message: string, findings: Finding[] = []) {
    super(message);
    this.code = code;
    this.findings = findings;
  }
}
