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
