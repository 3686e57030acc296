import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import smpp from 'smpp';
import { absoluteTime, parseTime, relativeTime } from '../../../lib/smpp/times.ts';

const nowMs = Date.UTC(2026, 10, 25, 8, 30);

describe('SMPP times', () => {
  it('absolute', () => {
    assert.equal(absoluteTime(Date.UTC(2026, 10, 25, 8, 30, 5, 678)), '261125083005600+');
    assert.throws(() => absoluteTime(Date.UTC(1999, 0)), /expected the years 2000 to 2099/);
    assert.throws(() => absoluteTime(Number.NaN), RangeError);
  });

  it('relative', () => {
    assert.equal(relativeTime(2 * 3600 + 6 * 60 + 30), '000000020630000R');
    assert.equal(relativeTime(3 * 86_400), '000003000000000R');
    assert.throws(() => relativeTime(100 * 86_400), /seconds is 8640000, expected/);
    assert.throws(() => relativeTime(-1), RangeError);
    assert.throws(() => relativeTime(1.5), RangeError);
  });

  it('quarter hours ahead of UTC and behind it', () => {
    assert.equal(parseTime('261125103000008+', nowMs), nowMs);
    assert.equal(parseTime('261125033000020-', nowMs), nowMs);
  });

  it('neither form', () => {
    for (const text of ['', '2611250830', '261125083005600X', '26112508300560+'])
      assert.equal(parseTime(text, nowMs), undefined);
  });

  it('come back as they went, to a tenth of a second; npm smpp reads the absolute ones alike', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2100, 0) - 1 }), (ms) => {
        assert.equal(parseTime(absoluteTime(ms), nowMs), Math.floor(ms / 100) * 100);
        const theirs = smpp.filters.time!.decode.call(null, absoluteTime(ms)) as Date;
        assert.equal(theirs.getTime(), Math.floor(ms / 100) * 100);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 * 86_400 }), (seconds) => {
        assert.equal(parseTime(relativeTime(seconds), nowMs), nowMs + seconds * 1000);
      }),
    );
  });
});
