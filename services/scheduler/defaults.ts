import type { ScheduleInput } from '../../contracts/schedule.ts';
import { isDuplicateKey } from '../../lib/mongo/errors.ts';
import { nextDueIn } from './plan.ts';
import { newSchedule } from './pure/change.ts';
import { keepArmed, type SchedulerDeps } from './transact.ts';

/** Made where they are absent; from then on the user's, to change or to cancel for good. */
const DEFAULT_SCHEDULES: Readonly<Record<string, ScheduleInput>> = {
  statistics_sync: {
    description: 'Repairs the figures in Redis from MongoDB.',
    cron: '0 */5 * * * *',
    timeZone: 'UTC',
    target: { kind: 'task', task: 'statistics_sync' },
  },
  cleanup: {
    description: 'Retention: finished batches, leftovers, dead letters, old schedules.',
    cron: '0 0 2 * * *',
    timeZone: 'UTC',
    target: { kind: 'task', task: 'cleanup', timeoutMs: 3_600_000 },
  },
};

export async function createDefaults(deps: SchedulerDeps): Promise<void> {
  const nowMs = deps.now();
  for (const [id, definition] of Object.entries(DEFAULT_SCHEDULES)) {
    const nextDue = nextDueIn(definition);
    const made = newSchedule(
      id,
      definition,
      { createHash: 'default', paused: false, stream: undefined, before: undefined },
      {
        meta: { operatorId: 'smsbatch', reason: 'created by default' },
        facts: { nowMs, nextDue, ended: [] },
        dueBefore: nextDue,
      },
    );
    if (made.kind !== 'changed') continue;
    try {
      await deps.schedules.insertOne({ ...made.doc, byDefault: true });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
    await keepArmed(deps, id);
  }
}
