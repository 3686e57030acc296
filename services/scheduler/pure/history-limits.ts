export interface Kept {
  succeeded: string[];
  failed: string[];
}

export interface HistoryLimits {
  succeededHistoryLimit?: number | undefined;
  failedHistoryLimit?: number | undefined;
}

/** The batches that are kept after one more has ended, and those that have to go: the oldest. */
export function keepHistory(
  kept: Kept | undefined,
  batchId: string,
  outcome: 'succeeded' | 'failed',
  limits: HistoryLimits,
): { kept: Kept; remove: string[] } {
  const next: Kept = { succeeded: [...(kept?.succeeded ?? [])], failed: [...(kept?.failed ?? [])] };
  const limit = outcome === 'succeeded' ? limits.succeededHistoryLimit : limits.failedHistoryLimit;
  if (limit === undefined) return { kept: next, remove: [] };
  next[outcome].push(batchId);
  return { kept: next, remove: next[outcome].splice(0, Math.max(0, next[outcome].length - limit)) };
}
