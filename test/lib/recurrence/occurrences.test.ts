import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseCron } from '../../../lib/recurrence/cron-spec.ts';
import { nextOccurrence, type Recurrence } from '../../../lib/recurrence/occurrences.ts';
import { isZone, offsetMs } from '../../../lib/recurrence/zone.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FROM_MS = Date.parse('2026-01-01T00:00:00Z');
const TO_MS = Date.parse('2028-01-01T00:00:00Z');

function recurrence(cron: string, timeZone: string, options: Partial<Recurrence> = {}): Recurrence {
  const parsed = parseCron(cron);
  assert.ok(parsed.ok, cron);
  return { spec: parsed.spec, timeZone, ...options };
}

function between(of: Recurrence, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  for (
    let at = nextOccurrence(of, fromMs)?.atMs;
    at !== undefined && at <= toMs;
    at = nextOccurrence(of, at)?.atMs
  ) {
    assert.ok(at > (found.at(-1) ?? fromMs), 'strictly later each time');
    found.push(at);
  }
  return found;
}

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

/** What a clock on the wall shows, by the runtime's own tables: independent of what is under test. */
const clocks = new Map<string, Intl.DateTimeFormat>();
function wallClock(timeZone: string, atMs: number): string {
  let clock = clocks.get(timeZone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
    clocks.set(timeZone, clock);
  }
  return clock.format(atMs).replace(' ', 'T');
}

interface Transition {
  atMs: number;
  /** ms that the clock leaps: forward, or back where negative. */
  leapMs: number;
}

/** Every change of the clock in 2026 and 2027, to the minute. */
function transitions(timeZone: string): Transition[] {
  const found: Transition[] = [];
  for (let ms = FROM_MS; ms < TO_MS; ms += 7 * DAY_MS) {
    let low = ms;
    let high = ms + 7 * DAY_MS;
    const before = offsetMs(timeZone, low);
    const after = offsetMs(timeZone, high);
    if (before === after) continue;
    while (high - low > 60_000) {
      const middle = Math.floor((low + high) / 120_000) * 60_000;
      if (offsetMs(timeZone, middle) === before) low = middle;
      else high = middle;
    }
    found.push({ atMs: high, leapMs: after - before });
  }
  return found;
}

const all = Intl.supportedValuesOf('timeZone')
  .filter(isZone)
  .map((zone) => ({ zone, changes: transitions(zone) }))
  .filter(({ changes }) => changes.length > 0);

describe('every zone whose clock is changed in 2026 or 2027', () => {
  test('there are many, Lord Howe with its 30 minutes among them', () => {
    assert.ok(all.length > 100, String(all.length));
    const lordHowe = all.find(({ zone }) => zone === 'Australia/Lord_Howe')!;
    assert.deepEqual(new Set(lordHowe.changes.map(({ leapMs }) => Math.abs(leapMs))), new Set([30 * 60_000]));
  });

  test('a time of day in a gap or in a repeat: once a day by default, and as the policies say', () => {
    for (const { zone, changes } of all) {
      for (const { atMs, leapMs } of changes) {
        // A time in the middle of the gap, or of what comes twice.
        const wallMs = atMs + offsetMs(zone, atMs - 1) + leapMs / 2;
        const wall = new Date(wallMs);
        const cron = `0 ${wall.getUTCMinutes()} ${wall.getUTCHours()} * * *`;
        const around = (options: Partial<Recurrence>) =>
          between(recurrence(cron, zone, options), atMs - 36 * HOUR_MS, atMs + 36 * HOUR_MS);
        const shown = wall.toISOString().slice(0, 16);
        const what = `${zone} ${shown}`;
        const byDefault = around({});
        // A gap before midnight moves a run into the next day: what counts is that none is left out and none doubled.
        const steps = byDefault.slice(1).map((ms, index) => ms - byDefault[index]!);
        assert.ok(
          byDefault.length >= 2 && steps.every((ms) => Math.abs(ms - DAY_MS) <= Math.abs(leapMs)),
          `${what}: ${byDefault.map(iso)}`,
        );
        if (leapMs > 0) {
          const shifted = new Date(wallMs + leapMs).toISOString().slice(0, 16);
          const late = byDefault.find((ms) => wallClock(zone, ms) === shifted)!;
          assert.ok(late, `${what} comes as ${shifted}`);
          assert.ok(!around({ gap: 'skip' }).some((ms) => Math.abs(ms - late) < 12 * HOUR_MS), what);
        } else {
          const both = around({ repeat: 'both' }).filter((ms) => wallClock(zone, ms) === shown);
          assert.equal(both.length, 2, what);
          assert.equal(both[1]! - both[0]!, -leapMs, what);
          assert.ok(byDefault.includes(both[0]!) && !byDefault.includes(both[1]!), what);
        }
      }
    }
  });

  test('a rhythm of every half hour goes on through each change, no time twice and none left out', () => {
    for (const { zone, changes } of all) {
      for (const { atMs, leapMs } of changes) {
        const found = between(recurrence('0 */30 * * * *', zone), atMs - 2 * HOUR_MS, atMs + 2 * HOUR_MS);
        const gaps = found.slice(1).map((ms, index) => ms - found[index]!);
        assert.ok(
          gaps.every((ms) => ms === 30 * 60_000),
          `${zone} ${iso(atMs)} by ${leapMs / 60_000}: ${found.map(iso)}`,
        );
      }
    }
  });
});

const cases: {
  what: string;
  cron: string;
  zone: string;
  options?: Partial<Recurrence>;
  after: string;
  expected: string[];
}[] = [
  {
    what: '02:30 in a one-hour gap comes an hour later',
    cron: '0 30 2 * * *',
    zone: 'Europe/Berlin',
    after: '2026-03-28T12:00:00Z',
    expected: ['2026-03-29T01:30', '2026-03-30T00:30'],
  },
  {
    what: '02:30 in a one-hour gap, skipped',
    cron: '0 30 2 * * *',
    zone: 'Europe/Berlin',
    options: { gap: 'skip' },
    after: '2026-03-28T12:00:00Z',
    expected: ['2026-03-30T00:30', '2026-03-31T00:30'],
  },
  {
    what: '01:30 twice in New York: the first by default',
    cron: '0 30 1 * * *',
    zone: 'America/New_York',
    after: '2026-11-01T00:00:00Z',
    expected: ['2026-11-01T05:30', '2026-11-02T06:30'],
  },
  {
    what: '01:30 twice in New York: both',
    cron: '0 30 1 * * *',
    zone: 'America/New_York',
    options: { repeat: 'both' },
    after: '2026-11-01T00:00:00Z',
    expected: ['2026-11-01T05:30', '2026-11-01T06:30', '2026-11-02T06:30'],
  },
  {
    what: 'Lord Howe: 02:15 in a gap of 30 minutes comes at 02:45',
    cron: '0 15 2 * * *',
    zone: 'Australia/Lord_Howe',
    after: '2026-10-03T00:00:00Z',
    expected: ['2026-10-03T15:45', '2026-10-04T15:15'],
  },
  {
    what: 'days that are excluded: one date, one of every year, a range over the new year',
    cron: '0 0 9 * * *',
    zone: 'UTC',
    options: { exclude: ['2026-12-22', '12-24', { from: '12-26', to: '01-02' }] },
    after: '2026-12-21T09:00:00Z',
    expected: ['2026-12-23T09:00', '2026-12-25T09:00', '2027-01-03T09:00'],
  },
  {
    what: 'every second, with a day that is excluded in the zone',
    cron: '* * * * * *',
    zone: 'Asia/Tokyo',
    options: { exclude: ['2026-12-25'] },
    after: '2026-12-24T14:59:59Z',
    expected: ['2026-12-25T15:00'],
  },
];
for (const { what, cron, zone, options, after, expected } of cases) {
  test(what, () => {
    const of = recurrence(cron, zone, options);
    const found: number[] = [];
    for (let at = Date.parse(after); found.length < expected.length; ) {
      at = nextOccurrence(of, at)!.atMs;
      found.push(at);
    }
    assert.deepEqual(found.map(iso), expected);
  });
}

test('a spec of which every day is excluded never comes', () => {
  const never = recurrence('* * * * * *', 'UTC', { exclude: [{ from: '01-01', to: '12-31' }] });
  assert.equal(nextOccurrence(never, FROM_MS), undefined);
});
