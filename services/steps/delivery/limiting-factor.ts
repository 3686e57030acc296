import type { Provider } from './providers/provider.ts';
import type { TaskSender } from './task-sender.ts';

/** What may hold a task back; the words of `limitedBy` in progress events. */
export type LimitingFactor = 'rate' | 'window' | 'throttled' | 'journal' | 'store' | 'connection' | 'retry';

export interface FactorCounter {
  sample(factor: LimitingFactor): void;
  /** The most frequent since the last call. */
  take(): LimitingFactor | undefined;
}

export function factorCounter(): FactorCounter {
  const counts = new Map<LimitingFactor, number>();
  return {
    sample(factor) {
      counts.set(factor, (counts.get(factor) ?? 0) + 1);
    },
    take() {
      const [first] = [...counts].sort((a, b) => b[1] - a[1]);
      counts.clear();
      return first?.[0];
    },
  };
}

/** What holds the task back at this moment. `waitingFor`: what its next intent waits for, when nothing is authorised. */
export function limitedBy(
  provider: Provider,
  sender: TaskSender,
  waitingFor: LimitingFactor,
): LimitingFactor {
  if (provider.throttled()) return 'throttled';
  if (provider.readyInMs() === Number.POSITIVE_INFINITY) return 'connection';
  if (sender.leases.length === 0) return waitingFor;
  return sender.paced ? 'rate' : 'window';
}
