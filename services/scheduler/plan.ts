import { type CronSpec, parseCron } from '../../lib/recurrence/cron-spec.ts';
import { nextOccurrence, type Occurrence } from '../../lib/recurrence/occurrences.ts';
import type { ScheduleDefinition } from './schedule-document.ts';

/** Specs are few, schedules many. */
const specs = new Map<string, CronSpec>();
const MAX_SPECS = 1_000;

function specOf(cron: string): CronSpec {
  let spec = specs.get(cron);
  if (!spec) {
    const parsed = parseCron(cron);
    if (!parsed.ok) throw new Error(`a stored cron does not hold: ${cron}`);
    spec = parsed.spec;
    if (specs.size >= MAX_SPECS) specs.clear();
    specs.set(cron, spec);
  }
  return spec;
}

/** The due time of a schedule after an instant: its first, its next, or none. */
export function nextDueOf(definition: ScheduleDefinition, afterMs: number): Occurrence | undefined {
  const { at, cron, timeZone = 'UTC', startAt, endAt, exclude, gap, repeat } = definition;
  if (at !== undefined) {
    const atMs = Date.parse(at);
    return atMs > afterMs ? { atMs } : undefined;
  }
  if (cron === undefined) return undefined;
  const from = startAt === undefined ? afterMs : Math.max(afterMs, Date.parse(startAt) - 1);
  const next = nextOccurrence({ spec: specOf(cron), timeZone, gap, repeat, exclude }, from);
  if (next === undefined || (endAt !== undefined && next.atMs > Date.parse(endAt))) return undefined;
  return next;
}

/** For the rules: as `pure/fire.ts` asks for it. */
export const nextDueIn =
  (definition: ScheduleDefinition) =>
  (afterMs: number): number | undefined =>
    nextDueOf(definition, afterMs)?.atMs;
