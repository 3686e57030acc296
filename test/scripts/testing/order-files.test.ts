import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { durationsOf } from '../../../scripts/testing/durations.ts';
import { longestFirst } from '../../../scripts/testing/order-files.ts';

const never = () => false;

test('the longest come first, those nobody has recorded among them where they may be long', () => {
  const files = ['short', 'new', 'long', 'longer', 'small'];
  const order = longestFirst(
    files,
    { long: 20, longer: 40 },
    { isLong: (path) => path === 'new', isLate: never },
  );
  assert.deepEqual(order, ['longer', 'new', 'long', 'short', 'small']);
});

test('what needs something that is still being made comes behind the long ones', () => {
  const order = longestFirst(
    ['short', 'late', 'long'],
    { late: 40, long: 20 },
    { isLong: never, isLate: (path) => path === 'late' },
  );
  assert.deepEqual(order, ['long', 'late', 'short']);
});

test('every file that is recorded exists', async () => {
  const gone = Object.keys(await durationsOf()).filter(
    (path) => !existsSync(new URL(`../../../${path}`, import.meta.url)),
  );
  assert.deepEqual(gone, []);
});
