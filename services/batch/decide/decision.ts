import type { InlineRecipient } from '../../../contracts/batch.ts';
import { type ErrorBody, errorBody, type Finding } from '../../../contracts/errors.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Effect } from '../../../lib/store/effects.ts';

/** What the rules make of a command. */
export type Decision =
  /** Write `doc` with its effects; hold the tasks that are out first where `hold` says so. */
  | { kind: 'accepted'; doc: BatchDocument; effects: Effect[]; hold: boolean; inline?: InlineRecipient[] }
  /** Nothing to change: said before, or already so. Answered with the state. */
  | { kind: 'unchanged' }
  /** An answer from another epoch, or for a task that is not out: counted and dropped. */
  | { kind: 'dropped'; why: string }
  /** Effects without a change of state, as the findings of `validate`. */
  | { kind: 'told'; effects: Effect[] }
  | { kind: 'rejected'; error: ErrorBody };

export const rejected = (code: ErrorBody['code'], message: string, errors: Finding[] = []): Decision => ({
  kind: 'rejected',
  error: errorBody(code, message, errors),
});

/** What the rules need to know beside the state; gathered before, so that they stay pure. */
export interface Facts {
  /** Server time of the command, ms since 1970. */
  at: number;
  /** SHA-256 of the create's body. */
  createHash?: string;
  /** `create-child`, `start`, `update`: the chain resolved against the steps that are registered. */
  chain?: { steps: BatchDocument['steps']; findings: Finding[] };
  /** `validate`: every finding. */
  findings?: Finding[];
  /** `delete`: children that still have to take recipients from this batch. */
  waitingChildren?: string[];
  /** `dry-run`: the inline recipients of this batch. */
  inline?: InlineRecipient[];
}
