import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BatchDefinition } from '../../contracts/batch.ts';
import { check } from '../../contracts/check.ts';
import { COMMANDS } from '../../contracts/commands.ts';
import { BATCH_STATUSES, type BatchState, PHASE_STATUSES, stateName } from '../../contracts/states.ts';
import { mayUpdate, UPDATE_PERMISSIONS, type UpdateWindow } from '../../contracts/update-permissions.ts';

const whole = BATCH_STATUSES.map((status): BatchState => ({ phase: null, status }));
const phases = ['validation', 'preparation', 'credit-check', 'delivery', 'statistics'].flatMap((phase) =>
  PHASE_STATUSES.map((status): BatchState => ({ phase, status })),
);

/** Written out a second time, by state name. */
const beforeStart = ['Pending', 'Scheduled'];
const finals = ['Succeeded', 'Failed', 'Aborted'];
const expected: Record<UpdateWindow, (name: string, state: BatchState, deliveryBegan: boolean) => boolean> = {
  always: () => true,
  never: () => false,
  anytime: (name) => !finals.includes(name),
  unstarted: (name) => beforeStart.includes(name),
  unsent: (name, { phase }, began) => !began && (phase !== null || beforeStart.includes(name)),
};

describe('which field may change when', () => {
  it('has a window for every field of a batch, and for no other', () => {
    assert.deepEqual(Object.keys(UPDATE_PERMISSIONS).sort(), Object.keys(BatchDefinition.properties).sort());
  });

  for (const [field, window] of Object.entries(UPDATE_PERMISSIONS)) {
    it(`${field}: ${window}, in every state`, () => {
      for (const state of [...whole, ...phases]) {
        for (const began of [false, true]) {
          const name = stateName(state);
          assert.equal(
            mayUpdate(window, state, began),
            expected[window](name, state, began),
            `${name}, delivery ${began ? 'began' : 'not begun'}`,
          );
        }
      }
    });
  }

  it('never lets what is being sent change once it is', () => {
    const delivering: BatchState = { phase: 'delivery', status: 'Running' };
    const may = Object.entries(UPDATE_PERMISSIONS)
      .filter(([, window]) => mayUpdate(window, delivering, true))
      .map(([field]) => field);
    for (const field of [
      'content',
      'contentSignature',
      'tableStorageName',
      'sender',
      'providers',
      'encoding',
      'steps',
    ]) {
      assert.ok(!may.includes(field), field);
    }
    for (const field of ['ratePerSecond', 'maxConcurrency', 'failureThreshold', 'notAfter', 'name']) {
      assert.ok(may.includes(field), field);
    }
  });

  it('takes any part of the fields, but not none, nor the recipients', () => {
    for (const field of Object.keys(BatchDefinition.properties)) {
      const checked = check(COMMANDS.update, { patch: { [field]: undefined } });
      if (!checked.ok) assert.ok(!checked.errors.some(({ expected }) => expected === 'no such field'), field);
    }
    assert.equal(check(COMMANDS.update, { patch: {} }).ok, false);
    assert.equal(check(COMMANDS.update, { patch: { recipients: [] } }).ok, false);
  });
});
