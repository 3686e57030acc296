import assert from 'node:assert/strict';

export interface Grant {
  startMs: number;
  cost: number;
}

/** The contract: in any span of time, from any grant to any later one, no more than rate × span + burst. */
export function assertWithin(
  grants: readonly Grant[],
  ratePerSecond: number,
  burst: number,
  slackMs = 0,
): void {
  const sorted = [...grants].sort((a, b) => a.startMs - b.startMs);
  for (let i = 0; i < sorted.length; i++) {
    let sum = 0;
    for (let j = i; j < sorted.length; j++) {
      const from = sorted[i] as Grant;
      const to = sorted[j] as Grant;
      sum += to.cost;
      const allowed = (ratePerSecond * (to.startMs - from.startMs + slackMs)) / 1_000 + burst;
      assert.ok(
        sum <= allowed + 1e-6,
        `${sum} units in ${to.startMs - from.startMs} ms, allowed ${allowed} (grants ${i} to ${j})`,
      );
    }
  }
}
