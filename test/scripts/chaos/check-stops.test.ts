import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Attempt } from '../../../scripts/chaos/attempts.ts';
import { lateSubmits } from '../../../scripts/chaos/check-stops.ts';
import type { FaultDone } from '../../../scripts/chaos/fault.ts';

const attempt = (verb: string, sentAtMs: number, more: Partial<Attempt> = {}): Attempt => ({
  batchId: 'b',
  verb,
  sentAtMs,
  answeredAtMs: sentAtMs + 10,
  outcome: 'ok',
  state: verb === 'pause' ? 'DeliveryPausing' : 'DeliveryRunning',
  ...more,
});

it('a submission between the second after a pause and the next resume is late', () => {
  const attempts = [attempt('pause', 1_000), attempt('resume', 5_000)];
  const late = lateSubmits(attempts, [900, 1_500, 2_010, 2_011, 4_999, 5_001, 9_000], []);
  assert.deepEqual(late, {
    stops: 1,
    lateAfterPause: 2,
    lateAfterAbort: 0,
    lateFromFrozen: 0,
    latestMs: 3_989,
  });
  assert.equal(lateSubmits([attempt('abort', 1_000, { state: 'Aborting' })], [9_000], []).lateAfterAbort, 1);
});

it('nothing is said where a resume without an answer may come into effect, or nothing was stopped', () => {
  const unanswered = attempt('resume', 500, { outcome: 'unknown', answeredAtMs: 12_500 });
  assert.equal(lateSubmits([unanswered, attempt('pause', 1_000)], [4_000], []).stops, 0);
  assert.equal(lateSubmits([attempt('pause', 1_000, { outcome: 'unknown' })], [4_000], []).stops, 0);
});

it('what our proxy held back, or a thawed worker had in its hands, is told apart', () => {
  const fault = (more: Partial<FaultDone>): FaultDone => ({
    kind: 'delay',
    what: '',
    fromMs: 0,
    toMs: 3_000,
    targets: [],
    ...more,
  });
  const pause = [attempt('pause', 1_000)];
  assert.equal(lateSubmits(pause, [2_300], [fault({ carrierLateMs: 400 })]).lateAfterPause, 0);
  const thawed = lateSubmits(pause, [3_100, 3_900], [fault({ kind: 'freeze' })]);
  assert.deepEqual([thawed.lateFromFrozen, thawed.lateAfterPause], [1, 1]);
});
