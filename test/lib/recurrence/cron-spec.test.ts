import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCron } from '../../../lib/recurrence/cron-spec.ts';
import { isZone } from '../../../lib/recurrence/zone.ts';

const walls = (cron: string, after: string, count: number): string[] => {
  const parsed = parseCron(cron);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const found: string[] = [];
  for (const wall of parsed.spec.walls(Date.parse(after))) {
    found.push(new Date(wall).toISOString().slice(0, 19));
    if (found.length === count) break;
  }
  return found;
};

test('wall-clock times in order, strictly after', () => {
  assert.deepEqual(walls('0 30 9 * * 1-5', '2026-11-27T09:30:00Z', 2), [
    '2026-11-30T09:30:00',
    '2026-12-01T09:30:00',
  ]);
  assert.deepEqual(walls('*/10 * * * * *', '2026-11-27T09:30:01Z', 2), [
    '2026-11-27T09:30:10',
    '2026-11-27T09:30:20',
  ]);
  assert.deepEqual(walls('0 0 0 L * *', '2026-02-01T00:00:00Z', 1), ['2026-02-28T00:00:00']);
  assert.deepEqual(walls('0 0 12 1 MAR *', '2026-02-01T00:00:00Z', 1), ['2026-03-01T12:00:00']);
  assert.deepEqual(walls('0 0 12 * * THU', '2026-11-25T00:00:00Z', 1), ['2026-11-26T12:00:00']);
  assert.deepEqual(walls('0 0 0 29 2 *', '2026-02-01T00:00:00Z', 1), ['2028-02-29T00:00:00']);
});

const bad: [cron: string, expected: RegExp][] = [
  ['0 30 9 * *', /six fields.*has 5/],
  ['0 30 9 * * 1-5 2026', /six fields.*has 7/],
  ['', /six fields/],
  ['60 30 9 * * *', /^second of 0-59.*not 60/],
  ['0 60 9 * * *', /^minute of 0-59/],
  ['0 0 24 * * *', /^hour of 0-23/],
  ['0 0 9 32 * *', /^day of the month of 1-31/],
  ['0 0 9 * 13 *', /^month of 1-12/],
  ['0 0 9 * * 8', /^day of the week of 0-7/],
  ['0 0 nine * * *', /^hour of 0-23/],
  ['H 0 9 * * *', /no H/],
  ['0 H(0-30) 9 * * *', /no H/],
  ['0 0 9 1 * 1', /not both/],
  ['0 0 0 30 2 *', /day of month/],
];
for (const [cron, expected] of bad) {
  test(`"${cron}" is refused with what is accepted`, () => {
    const parsed = parseCron(cron);
    assert.ok(!parsed.ok);
    assert.equal(parsed.findings[0]!.field, 'cron');
    assert.equal(parsed.findings[0]!.value, cron);
    assert.match(parsed.findings[0]!.expected, expected);
  });
}

test('every field that is wrong is named at once', () => {
  const parsed = parseCron('61 61 9 * * *');
  assert.ok(!parsed.ok);
  assert.equal(parsed.findings.length, 2);
});

test('zones by IANA names only', () => {
  for (const name of [
    'Europe/Berlin',
    'UTC',
    'America/Argentina/Buenos_Aires',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
  ]) {
    assert.ok(isZone(name), name);
  }
  for (const name of ['EST', '+02:00', 'GMT+1', 'europe/berlin', 'Mars/Olympus', '', 'Z', 'local']) {
    assert.ok(!isZone(name), name);
  }
});
