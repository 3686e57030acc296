import { hash32 } from '../../../lib/hash/hash32.ts';

/** How much later than its due time a run fires: up to `maxMs`, the same for every process that computes it. */
export function jitterMs(scheduleId: string, dueAt: number, maxMs: number): number {
  if (maxMs <= 0) return 0;
  return hash32(`${scheduleId}@${dueAt}`) % (maxMs + 1);
}
