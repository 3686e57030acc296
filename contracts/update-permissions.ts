import type { BatchDefinition } from './batch.ts';
import type { BatchState } from './states.ts';

/**
 * Up to when a field may change.
 * - `unstarted`: while the batch is Pending or Scheduled
 * - `unsent`: until the delivery phase has begun
 * - `anytime`: in every state that is not final
 * - `always`: labels for people, even after the end
 * - `never`: part of what the batch is
 */
export type UpdateWindow = 'unstarted' | 'unsent' | 'anytime' | 'always' | 'never';

export const UPDATE_PERMISSIONS = {
  name: 'always',
  description: 'always',
  tags: 'always',
  campaignID: 'always',
  campaignName: 'always',
  source: 'unstarted',
  region: 'unstarted',
  userID: 'always',
  scope: 'never',
  tableStorageName: 'unstarted',
  content: 'unstarted',
  contentSignature: 'unstarted',
  messageType: 'unstarted',
  messageCategory: 'unstarted',
  steps: 'unstarted',
  defaultCountry: 'unstarted',
  maxParts: 'unstarted',
  encoding: 'unstarted',
  providers: 'unsent',
  sender: 'unsent',
  extCode: 'unsent',
  validitySeconds: 'unsent',
  onInDoubt: 'unsent',
  ratePerSecond: 'anytime',
  maxConcurrency: 'anytime',
  failureThreshold: 'anytime',
  notAfter: 'anytime',
  autoTrigger: 'unstarted',
  scheduleTime: 'unstarted',
} as const satisfies Record<keyof BatchDefinition, UpdateWindow>;

const beforeDelivery = (state: BatchState, deliveryBegan: boolean): boolean =>
  !deliveryBegan && !(state.phase === null && state.status !== 'Pending' && state.status !== 'Scheduled');

/** Whether a field may change in a state; `deliveryBegan` is true from the first delivery task on. */
export function mayUpdate(window: UpdateWindow, state: BatchState, deliveryBegan: boolean): boolean {
  const unstarted = state.phase === null && (state.status === 'Pending' || state.status === 'Scheduled');
  const final =
    state.phase === null &&
    (state.status === 'Succeeded' || state.status === 'Failed' || state.status === 'Aborted');
  switch (window) {
    case 'never':
      return false;
    case 'always':
      return true;
    case 'anytime':
      return !final;
    case 'unsent':
      return beforeDelivery(state, deliveryBegan);
    case 'unstarted':
      return unstarted;
  }
}
