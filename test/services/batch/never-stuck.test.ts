import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noOutcomes } from '../../../contracts/outcomes.ts';
import { Scenario, START_MS } from './given.ts';

const skipIf = { field: 'tags', equals: 'skip' };

describe('a batch never stands still or ends without a word', () => {
  it('says once why it could not start at its scheduleTime, and waits as Pending', () => {
    const scheduleTime = new Date(START_MS + 60_000).toISOString();
    const batch = Scenario.given({ scheduleTime, autoTrigger: true });
    batch.nowMs = batch.doc!.wakeAt!;
    const finding = { field: 'steps/0', value: 'credit-check', expected: 'a step that exists' };
    batch.when('reconcile', {}, { chain: { steps: [], findings: [finding] } });
    assert.equal(batch.state, 'Pending');
    assert.deepEqual(batch.doc!.reason!.errors, [finding]);
    assert.equal(batch.doc!.history.at(-1)!.event, 'Unschedule');
    assert.equal(batch.doc!.wakeAt, undefined);
    batch.when('start');
    assert.equal(batch.state, 'ValidationRunning');
  });

  it('refuses to start a chain of which every step is passed over', () => {
    const batch = Scenario.given({ steps: [{ type: 'validation', skipIf }], tags: ['skip'] }).when('start');
    assert.equal(batch.refusal?.code, 'invalid');
    assert.equal(batch.refusal?.errors[0]?.field, 'steps');
  });

  it('never passes over the count behind a delivery', () => {
    const steps = ['validation', 'preparation', 'delivery', { type: 'statistics', skipIf }];
    const batch = Scenario.given({ steps, tags: ['skip'] }).upTo('statistics');
    assert.equal(batch.state, 'StatisticsRunning');
  });

  it('does not succeed on a count that leaves someone out, or on none', () => {
    const batch = Scenario.given().upTo('statistics');
    batch.answer('done', 0, { result: { counts: { ...noOutcomes(), accepted: 29 } } });
    assert.equal(batch.state, 'StatisticsFailed');
    assert.equal(batch.doc!.reason!.message, 'The count covers 29 of 30 recipients.');
    const uncounted = Scenario.given().upTo('statistics').answer('done', 0);
    assert.equal(uncounted.state, 'StatisticsFailed');
    assert.equal(uncounted.doc!.reason!.code, 'not-accounted');
  });

  it('does not prepare or deliver what was never partitioned', () => {
    const batch = Scenario.given().upTo('partition').answer('done', 0);
    assert.equal(batch.state, 'PreparationFailed');
    assert.equal(batch.doc!.reason!.code, 'not-partitioned');
    assert.equal(batch.when('retry').state, 'PreparationFailed');
    assert.equal(batch.when('abort').state, 'Aborted');
  });

  it('stays paused when a task says why everyone would fail, though it meant to go on by itself', () => {
    const batch = Scenario.given().upTo('delivery', 2).answer('yielded', 0);
    assert.equal(batch.doc!.stopping!.resumeAfter, true);
    batch.answer('yielded', 1, { stop: { code: '0x0000000A', message: 'wrong sender' } });
    assert.equal(batch.state, 'DeliveryPaused');
    assert.equal(batch.doc!.reason!.message, 'wrong sender');
  });

  it('rings no clock that leads nowhere while built-in tasks settle', () => {
    const notAfter = new Date(START_MS + 60_000).toISOString();
    const batch = Scenario.given({ notAfter }).upTo('delivery', 1);
    batch.nowMs = Date.parse(notAfter);
    batch.when('reconcile');
    assert.equal(batch.doc!.stopping!.to, 'Expired');
    assert.equal(batch.doc!.wakeAt, undefined);
  });
});
