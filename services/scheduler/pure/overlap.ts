import type { OVERLAPS } from '../../../contracts/schedule.ts';

export type Overlap = (typeof OVERLAPS)[number];

/** Runs of one schedule that go on at once, whatever its policy. */
export const MAX_ACTIVE = 100;

export type OverlapDecision = { kind: 'start' } | { kind: 'buffer' } | { kind: 'skip'; reason: string };

/** What becomes of a run that is due while others go on. */
export function decideOverlap(policy: Overlap, active: number, hasBuffered: boolean): OverlapDecision {
  if (active === 0) return { kind: 'start' };
  if (active >= MAX_ACTIVE) return { kind: 'skip', reason: `${active} runs go on: no more are started` };
  switch (policy) {
    case 'allow':
      return { kind: 'start' };
    case 'skip':
      return { kind: 'skip', reason: 'the run before goes on (overlap: skip)' };
    case 'buffer-one':
      if (!hasBuffered) return { kind: 'buffer' };
      return {
        kind: 'skip',
        reason: 'the run before goes on, and one waits for it already (overlap: buffer-one)',
      };
  }
}
