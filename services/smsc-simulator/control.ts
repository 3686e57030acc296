import type { Behaviour, BehaviourChange } from './behaviour.ts';
import type { LedgerMessage, Summary } from './recorder.ts';
import type { SmscStatus } from './smsc.ts';

/** A simulator that runs, as tests and its HTTP port hold it. */
export interface Simulator {
  readonly smppPort: number;
  readonly httpPort: number | undefined;
  readonly behaviour: Behaviour;
  change(change: BehaviourChange): Behaviour;
  /** Forgets what came in, and receipts not sent yet. */
  reset(): void;
  summary(): Promise<Summary & SmscStatus>;
  messages(query?: { after?: number; msisdn?: string }): Generator<LedgerMessage>;
  /** Cuts all connections; returns how many. */
  disconnectAll(): number;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
