import type { BatchDefinition, SkipCondition } from '../../contracts/batch.ts';
import type { ParentRef } from '../../contracts/commands.ts';
import type { ErrorBody } from '../../contracts/errors.ts';
import type { BatchOrigin } from '../../contracts/origin.ts';
import type { OutcomeCounts, ReceiptCounts } from '../../contracts/outcomes.ts';
import type { BatchState } from '../../contracts/states.ts';
import type { Effect } from './effects.ts';

/** One step of a batch's chain, resolved when the batch starts. */
export interface StepPlan {
  type: string;
  config: Record<string, unknown>;
  /** Deadline without progress. */
  timeoutMs: number;
  skipIf?: SkipCondition;
}

/** The tasks of the phase that runs. A task is done when it was handed out (`< next`) and is neither out nor yielded. */
export interface PhaseWork {
  step: string;
  /** Number of tasks, 0 … count - 1. */
  count: number;
  /** Next task that was never handed out. */
  next: number;
  out: number[];
  /** Stopped before their end; handed out again by resume or retry. */
  yielded: number[];
}

/** Where a batch goes once every task that is out has answered. */
export interface Stopping {
  to: 'Paused' | 'Failed' | 'Aborted' | 'Expired';
  at: number;
  reason?: Reason;
  /** A resume that came while tasks were still out. */
  resumeAfter?: boolean;
}

/** Why a batch is where it is, in words and as a code. */
export interface Reason {
  code: string;
  message: string;
  errors?: ErrorBody['errors'];
}

export interface Transition {
  version: number;
  at: number;
  event: string;
  from: string | null;
  to: string;
  operatorId?: string;
  requestId?: string;
  reason?: string;
}

/** Counts of one step, summed over its tasks that are done or yielded; replaced by the recount of `statistics`. */
export interface StepTotals {
  counts: OutcomeCounts;
  segments: number;
  segmentHistogram?: Record<string, number>;
  encodings?: Record<string, number>;
  resent?: number;
}

/** The memory of one batch actor: `batches`, one document a batch, changed only by the actor's turn. */
export interface BatchDocument {
  _id: string;
  incarnation: string;
  version: number;
  /** SHA-256 of the create's body: the same create twice is one batch. */
  createHash: string;
  definition: BatchDefinition;
  parent?: ParentRef;
  /** What made it, where no person did. */
  origin?: BatchOrigin;
  inlineRecipients?: number;
  dryRun?: boolean;
  state: BatchState;
  steps: StepPlan[];
  stepIndex: number;
  epoch: number;
  work?: PhaseWork;
  stopping?: Stopping;
  /** The last count before a batch that will not succeed is final. */
  finish?: { to: 'Failed' | 'Aborted'; expire: boolean };
  reason?: Reason;
  /** Size of the batch in recipients, chunks and tasks a step; set by `partition`. */
  size?: { total: number; chunks: number; tasks: number };
  totals: Record<string, StepTotals>;
  /** The last recount of outcome documents; what the end was decided on. */
  counted?: { counts: OutcomeCounts; receipts: ReceiptCounts; at: number };
  deliveryBegan: boolean;
  /**
   * MongoDB was set back to an earlier copy, ms since 1970: who had no outcome in it may have been sent to since, and is never
   * sent to again. `unknown`: recipients of whom the tasks have said so by now.
   */
  restored?: { at: number; unknown: number };
  /** Since when it is in this state, ms since 1970. */
  stateSince: number;
  /** ms since 1970: the next moment at which the actor must look again (deadline, due time, notAfter). */
  wakeAt?: number;
  progressAt: number;
  lastCommandSeq: number;
  lastCommandAt: number;
  outbox: Effect[];
  publishedVersion: number;
  /** True until a host has seen the outbox of this version published; found by the sweep. */
  unpublished: boolean;
  history: Transition[];
  createdAt: number;
  updatedAt: number;
  startedAt?: number;
  endedAt?: number;
  /** Set on a tombstone, ms since 1970. */
  deletedAt?: number;
  /** When MongoDB removes the tombstone (TTL index). */
  removeAt?: Date;
}
