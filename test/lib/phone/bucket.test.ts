import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf, hashMsisdn } from '../../../lib/phone/bucket.ts';

test('the bucket is the upper bits of the hash', () => {
  assert.equal(hashMsisdn('447911123456'), 0x883b372a);
  assert.equal(bucketOf(0x883b372a, 0), 0);
  assert.equal(bucketOf(0x883b372a, 1), 1);
  assert.equal(bucketOf(0x883b372a, 8), 0x88);
  assert.equal(bucketOf(0xffffffff, 32), 0xffffffff);
});

test('one bit more splits each bucket in two', () => {
  for (let i = 0; i < 1000; i++) {
    const hash = hashMsisdn(`4479110${i}`);
    assert.equal(bucketOf(hash, 8) >>> 1, bucketOf(hash, 7));
  }
});

test('consecutive numbers fill 256 buckets evenly', () => {
  const counts = new Uint32Array(256);
  const total = 256 * 1000;
  for (let i = 0; i < total; i++) counts[bucketOf(hashMsisdn(String(447300000000 + i)), 8)]!++;
  const chiSquared = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  // 255 degrees of freedom: mean 255, deviation 22.6. Above 350 in one of 30,000 random fillings.
  assert.ok(chiSquared < 350, `chi squared ${chiSquared}`);
});
