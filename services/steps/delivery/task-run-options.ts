import type { OutcomeCounts } from '../../../contracts/outcomes.ts';
import type { LateAnswer } from '../../../contracts/receipts.ts';
import type { ChunkRange } from '../../../lib/journal/take-over.ts';
import type { WindowSizer } from '../../../lib/journal/window-size.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import type { DeliveryStore } from './delivery-store.ts';
import type { Faults } from './faults.ts';
import type { Pacing } from './pacing.ts';
import type { PartEncoder } from './part-encoder.ts';
import type { Provider } from './providers/provider.ts';
import type { SettlementRules } from './settlement.ts';
import type { WindowShares } from './window-shares.ts';

export interface TaskRunOptions {
  task: TaskDocument;
  range: ChunkRange;
  store: DeliveryStore;
  provider: Provider;
  pacing: Pacing;
  /** How much of this process's window is this task's. */
  shares: Pick<WindowShares, 'join'>;
  /** Of all tasks on this provider: each goes on at the pace of the one before. */
  sizer: WindowSizer;
  encoder: PartEncoder;
  rules: SettlementRules;
  /** ms since 1970; null = none. */
  notAfterMs: number | null;
  signal: AbortSignal;
  onProgress(progress: {
    version: number;
    counts: OutcomeCounts;
    segments: number;
    resent?: number;
    limitedBy?: string;
  }): void;
  onLateAnswer(answer: LateAnswer): void;
  faults?: Faults | undefined;
}
