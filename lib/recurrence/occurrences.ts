import type { CronSpec } from './cron-spec.ts';
import { instantsOf, offsetMs } from './zone.ts';

export interface Recurrence {
  spec: CronSpec;
  timeZone: string;
  /** A local time that the clock leaps over: as much later as it leaps, or not at all. */
  gap?: 'next-valid' | 'skip' | undefined;
  /** A local time that comes twice. */
  repeat?: 'first' | 'both' | undefined;
  /** Whole days of the zone, as 2026-12-25 or 12-25. */
  exclude?: readonly (string | { from: string; to: string })[] | undefined;
}

export interface Occurrence {
  atMs: number;
  /** Set where the clock is changed. */
  note?: string;
}

const DAY_MS = 24 * 3_600_000;
/** Beyond this a spec that never comes (30 February, every day excluded) is given up. */
const HORIZON_MS = 5 * 366 * DAY_MS;
/** Walls looked at in one go: a spec of every second in a day that is excluded. */
const LOOKED_AT = 400_000;

/** The first occurrence after an instant; undefined when there is none within five years. */
export function nextOccurrence(recurrence: Recurrence, afterMs: number): Occurrence | undefined {
  const { spec, timeZone } = recurrence;
  // The offsets around tell how far wall-clock time and instants can disagree: nothing, but for two days a year.
  const offsets = [-DAY_MS, 0, DAY_MS].map((aside) => offsetMs(timeZone, afterMs + aside));
  const least = Math.min(...offsets);
  const most = Math.max(...offsets);
  const excludes = exclusions(recurrence.exclude);
  let best: Occurrence | undefined;
  let from = afterMs + least;
  let looked = 0;
  search: for (;;) {
    for (const wallMs of spec.walls(from)) {
      if (best !== undefined && wallMs - most >= best.atMs) return best;
      if (wallMs > afterMs + HORIZON_MS || ++looked > LOOKED_AT) return best;
      if (excludes(wallMs)) {
        // To the end of the day, and not second by second.
        from = Math.floor(wallMs / DAY_MS) * DAY_MS + DAY_MS - 1;
        continue search;
      }
      for (const occurrence of occurrencesOf(recurrence, wallMs)) {
        if (occurrence.atMs <= afterMs) continue;
        if (best === undefined || occurrence.atMs < best.atMs) best = occurrence;
      }
      if (best !== undefined && least === most) return best;
    }
    return best;
  }
}

function occurrencesOf({ spec, timeZone, gap, repeat }: Recurrence, wallMs: number): Occurrence[] {
  const found = instantsOf(timeZone, wallMs);
  const wall = new Date(wallMs).toISOString().slice(0, 19);
  switch (found.kind) {
    case 'once':
      return [{ atMs: found.instants[0] }];
    case 'gap': {
      const policy = gap ?? (spec.everyHour ? 'skip' : 'next-valid');
      if (policy === 'skip') return [];
      return [{ atMs: found.shifted, note: `the clock leaps over ${wall}: as much later as it leaps` }];
    }
    case 'repeat': {
      const policy = repeat ?? (spec.everyHour ? 'both' : 'first');
      const [first, second] = found.instants;
      if (policy === 'first') return [{ atMs: first, note: `${wall} comes twice: this is the first time` }];
      return [
        { atMs: first, note: `${wall} comes twice: this is the first time` },
        { atMs: second, note: `${wall} comes twice: this is the second time` },
      ];
    }
  }
}

/** Whether a wall-clock time lies on a day that is excluded. A range without years may go over the new year. */
function exclusions(exclude: Recurrence['exclude'] = []): (wallMs: number) => boolean {
  if (exclude.length === 0) return () => false;
  const ranges = exclude.map((each) => (typeof each === 'string' ? { from: each, to: each } : each));
  return (wallMs) => {
    const day = new Date(wallMs).toISOString().slice(0, 10);
    return ranges.some(({ from, to }) => {
      const shown = from.length === 5 ? day.slice(5) : day;
      return from <= to ? from <= shown && shown <= to : shown >= from || shown <= to;
    });
  };
}
