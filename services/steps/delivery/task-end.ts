import type { OutcomeCounts } from '../../../contracts/outcomes.ts';
import type { Stop } from './failure-share.ts';

export interface Account {
  counts: OutcomeCounts;
  segments: number;
  resent: number;
}

/** Why a holder stops. */
export type Ending =
  | { kind: 'done' }
  /** Paused or aborted. */
  | { kind: 'held' }
  /** The batch's `notAfter` has come. */
  | { kind: 'expired' }
  /** Everyone else would be refused as well. */
  | { kind: 'stopped'; stop: Stop }
  /** The service stops; the next holder goes on at once. */
  | { kind: 'left' }
  /** Another holder has the task. */
  | { kind: 'lost' };

export type TaskEnd =
  | (Exclude<Ending, { kind: 'left' | 'lost' }> & Account)
  | Extract<Ending, { kind: 'left' | 'lost' }>;
