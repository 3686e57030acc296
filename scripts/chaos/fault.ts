import type { FaultKind } from './fault-kinds.ts';
import type { StrangeCommands } from './strange-commands.ts';
import type { World } from './world.ts';

/** What became of one planned fault. */
export interface FaultDone {
  kind: FaultKind;
  /** What was done to whom. */
  what: string;
  fromMs: number;
  toMs: number;
  /** Processes killed or frozen. */
  targets: string[];
  /** Of a crash point. */
  action?: 'kill' | 'freeze';
  /** The carrier could not be reached in time, or was late: submissions may arrive later than they were sent. */
  carrierLateMs?: number;
}

export interface FaultContext {
  world: World;
  strange: StrangeCommands;
  /** What other faults have in hand. */
  busy: Set<string>;
}

export type Outcome = Pick<FaultDone, 'what' | 'targets'> & Partial<FaultDone>;
