import assert from 'node:assert/strict';
import { it } from 'node:test';
import { windowShares } from '../../../../services/steps/delivery/window-shares.ts';

const nobody = () => {};

it('lets one task of a batch send at a time, and the next when it has handed over everything', () => {
  const shares = windowShares(500);
  let woken = 0;
  const first = shares.join('b', nobody);
  const second = shares.join('b', () => woken++);
  assert.deepEqual([first.fresh, second.fresh], [500, 0]);
  assert.ok(second.again > 0, 'what is due again need not wait for its turn');
  first.pass();
  assert.deepEqual([first.fresh, second.fresh], [0, 500]);
  assert.equal(woken, 1);
});

it('shares one window among batches, so that a killed process leaves no more in doubt', () => {
  const shares = windowShares(500);
  const members = ['a', 'b', 'b', 'c'].map((batch) => shares.join(batch, nobody));
  assert.ok(members.reduce((sum, { fresh }) => sum + fresh, 0) <= 500);
  for (const each of members.slice(1)) each[Symbol.dispose]();
  assert.equal(members[0]!.fresh, 500);
});
