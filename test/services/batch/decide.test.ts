import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noOutcomes } from '../../../contracts/outcomes.ts';
import { resolveChain } from '../../../lib/batch/chain.ts';
import { builtInStepTypes } from '../../../lib/steps/step-types.ts';
import { Scenario, START_MS } from './given.ts';

const names = (scenario: Scenario): string[] => scenario.doc!.history.map(({ event }) => event);

describe('a batch, given its state and a command', () => {
  it('goes through its chain to Succeeded and announces the end once', () => {
    const batch = Scenario.given().upTo('statistics').finishPhase();
    assert.equal(batch.state, 'Succeeded');
    assert.deepEqual(names(batch), [
      'Create',
      'InitialExecute',
      'ValidationExecute',
      'ValidationComplete',
      'PartitionExecute',
      'PartitionComplete',
      'PreparationExecute',
      'PreparationComplete',
      'DeliveryExecute',
      'DeliveryComplete',
      'StatisticsExecute',
      'Succeed',
    ]);
    assert.ok(batch.event('ended'));
  });

  it('hands out no more tasks at once than maxConcurrency, and refills by answers', () => {
    const batch = Scenario.given({ maxConcurrency: 2 }).upTo('preparation', 5);
    assert.deepEqual(batch.doc!.work!.out, [0, 1]);
    batch.answer('done', 0);
    assert.deepEqual(batch.handedOut, [2]);
    batch.when('update', { patch: { maxConcurrency: 4 } });
    assert.deepEqual(batch.handedOut, [3, 4]);
  });

  it('takes the same create as the same batch, another body as a conflict', () => {
    const batch = Scenario.given();
    batch.when('create', { batch: { name: 'b', content: 'hi', tableStorageName: 't' } });
    assert.equal(batch.outcome, 'unchanged');
    batch.when('create', { batch: { name: 'other', content: 'hi', tableStorageName: 't' } });
    assert.equal(batch.refusal?.code, 'already-exists');
  });

  it('pauses in two steps: holds first, Paused when all that was out has answered', () => {
    const batch = Scenario.given().upTo('delivery').when('pause', { operatorId: 'ann', reason: 'typo' });
    assert.equal(batch.state, 'DeliveryPausing');
    assert.equal(batch.held, true);
    batch.answer('yielded', 0).answer('done', 1);
    assert.equal(batch.state, 'DeliveryPausing');
    batch.answer('yielded', 2);
    assert.equal(batch.state, 'DeliveryPaused');
    assert.equal(batch.doc!.reason!.message, 'typo');
    assert.deepEqual(batch.doc!.work!.yielded, [0, 2]);
  });

  it('resumes where it stopped, in a new epoch', () => {
    const batch = Scenario.given().upTo('delivery').when('pause');
    batch.answer('yielded', 0).answer('done', 1).answer('yielded', 2);
    const epoch = batch.doc!.epoch;
    batch.when('resume');
    assert.equal(batch.state, 'DeliveryRunning');
    assert.deepEqual(batch.handedOut, [0, 2]);
    assert.equal(batch.doc!.epoch, epoch + 1);
  });

  it('keeps a resume that comes while tasks are still out, and a later pause takes it back', () => {
    const batch = Scenario.given().upTo('delivery', 1).when('pause').when('resume');
    assert.equal(batch.state, 'DeliveryPausing');
    batch.answer('yielded', 0);
    assert.equal(batch.state, 'DeliveryRunning');
    batch.when('pause').when('resume').when('pause').answer('yielded', 0);
    assert.equal(batch.state, 'DeliveryPaused');
  });

  it('drops answers of another epoch, of tasks that are not out, and doubled ones', () => {
    const batch = Scenario.given().upTo('delivery');
    const { incarnation, epoch } = batch.doc!;
    const done = {
      step: 'delivery',
      task: 0,
      incarnation,
      result: { counts: { ...noOutcomes(), accepted: 10 } },
    };
    batch.when('step-done', { ...done, epoch: epoch - 1 });
    assert.equal(batch.outcome, 'dropped');
    batch.when('step-done', { ...done, epoch });
    assert.equal(batch.outcome, 'accepted');
    batch.when('step-done', { ...done, epoch });
    assert.equal(batch.outcome, 'dropped');
    assert.equal(batch.doc!.totals.delivery!.counts.accepted, 10);
  });

  it('fails the phase with the reason, then retries only what is not done', () => {
    const batch = Scenario.given().upTo('delivery').answer('done', 0);
    batch.answer('failed', 1, { code: 'boom', message: 'no carrier' });
    assert.equal(batch.state, 'DeliveryPausing');
    assert.equal(batch.held, true);
    batch.answer('yielded', 2);
    assert.equal(batch.state, 'DeliveryFailed');
    assert.equal(batch.doc!.reason!.code, 'boom');
    batch.when('retry');
    assert.equal(batch.state, 'DeliveryRunning');
    assert.deepEqual(batch.handedOut, [1, 2]);
  });

  it('pauses itself, reason in words, on an error that everyone would meet', () => {
    const batch = Scenario.given().upTo('delivery', 2);
    batch.answer('yielded', 0, { stop: { code: '0x0000000A', message: 'wrong sender' } });
    assert.equal(batch.state, 'DeliveryPausing');
    assert.equal(batch.held, true);
    batch.answer('yielded', 1);
    assert.equal(batch.state, 'DeliveryPaused');
    assert.equal(batch.doc!.reason!.message, 'wrong sender');
  });

  it('aborts from any state that is not final, counting what was sent', () => {
    const pending = Scenario.given().when('abort');
    assert.equal(pending.state, 'Aborted');
    const running = Scenario.given().upTo('delivery', 2).when('abort');
    assert.equal(running.state, 'Aborting');
    assert.equal(running.held, true);
    running.answer('yielded', 0).answer('done', 1);
    assert.equal(running.state, 'Aborting');
    assert.equal(running.doc!.work!.step, 'statistics');
    running.answer('done', 0, { result: { counts: { ...noOutcomes(), accepted: 12, pending: 8 } } });
    assert.equal(running.state, 'Aborted');
    assert.equal(running.doc!.counted!.counts.pending, 8);
    const paused = Scenario.given().upTo('preparation', 1).when('pause').answer('yielded', 0).when('abort');
    assert.equal(paused.state, 'Aborting');
  });

  it('does not succeed while the count finds recipients that are not final', () => {
    const batch = Scenario.given().upTo('statistics');
    batch.answer('done', 0, { result: { counts: { ...noOutcomes(), accepted: 29, pending: 1 } } });
    assert.equal(batch.state, 'StatisticsFailed');
    assert.equal(batch.doc!.reason!.code, 'not-final');
    batch.when('retry').answer('done', 0, { result: { counts: { ...noOutcomes(), accepted: 30 } } });
    assert.equal(batch.state, 'Succeeded');
  });

  it('expires what is pending when notAfter passes, and is Failed', () => {
    const notAfter = new Date(START_MS + 60_000).toISOString();
    const batch = Scenario.given({ notAfter }).upTo('delivery', 1);
    assert.ok(batch.doc!.wakeAt! <= Date.parse(notAfter));
    batch.nowMs = Date.parse(notAfter);
    batch.when('reconcile');
    assert.equal(batch.state, 'DeliveryPausing');
    batch.answer('yielded', 0);
    assert.equal(batch.state, 'StatisticsRunning');
    batch.answer('done', 0, { result: { counts: { ...noOutcomes(), accepted: 4, expired: 6 } } });
    assert.equal(batch.state, 'Failed');
    assert.equal(batch.doc!.reason!.code, 'not-after');
  });

  it('fails a phase that makes no progress, unless a task says that it does', () => {
    const batch = Scenario.given().upTo('delivery', 1);
    batch.nowMs = batch.doc!.wakeAt!;
    batch.when('reconcile', { progressAt: batch.nowMs - 1_000 });
    assert.equal(batch.state, 'DeliveryRunning');
    batch.nowMs = batch.doc!.wakeAt!;
    batch.when('reconcile', {});
    assert.equal(batch.doc!.stopping!.to, 'Failed');
    batch.answer('yielded', 0);
    assert.equal(batch.state, 'DeliveryFailed');
    assert.equal(batch.doc!.reason!.code, 'no-progress');
  });

  it('publishes tasks again on reconcile, and changes nothing else', () => {
    const batch = Scenario.given().upTo('delivery', 2);
    batch.when('reconcile');
    assert.deepEqual(batch.handedOut, [0, 1]);
    assert.equal(batch.state, 'DeliveryRunning');
  });

  it('waits for its scheduleTime, then starts by itself', () => {
    const scheduleTime = new Date(START_MS + 3_600_000).toISOString();
    const batch = Scenario.given({ scheduleTime, autoTrigger: true });
    assert.equal(batch.state, 'Scheduled');
    batch.when('reconcile');
    assert.equal(batch.outcome, 'unchanged');
    batch.nowMs = Date.parse(scheduleTime);
    batch.when('reconcile');
    assert.equal(batch.state, 'ValidationRunning');
  });

  it('keeps the timer of its scheduleTime in step: moved, paused, resumed, switched off, aborted', () => {
    const at = (ms: number) => new Date(START_MS + ms).toISOString();
    const timed = (batch: Scenario) => batch.effects.some(({ kind }) => kind === 'timer');
    const batch = Scenario.given({ scheduleTime: at(3_600_000), autoTrigger: true });
    assert.ok(timed(batch), 'armed');
    batch.when('update', { patch: { name: 'other' } });
    assert.ok(!timed(batch), 'untouched');
    batch.when('update', { patch: { scheduleTime: at(7_200_000) } });
    assert.ok(timed(batch), 'moved');
    batch.when('pause', { reason: 'wait' });
    assert.ok(timed(batch), 'taken away');
    assert.deepEqual(
      [batch.state, batch.doc!.reason?.message, batch.doc!.wakeAt],
      ['Pending', 'wait', undefined],
    );
    batch.when('resume');
    assert.ok(timed(batch), 'armed again');
    assert.deepEqual([batch.state, batch.doc!.reason], ['Scheduled', undefined]);
    assert.equal(batch.when('resume').outcome, 'unchanged');
    batch.when('update', { patch: { autoTrigger: false } });
    assert.ok(timed(batch), 'switched off');
    assert.equal(batch.state, 'Pending');
    assert.equal(batch.when('resume').refusal?.code, 'state-forbids', 'nobody has paused it');
    batch.when('start');
    assert.equal(batch.state, 'Scheduled');
    batch.when('abort');
    assert.ok(timed(batch), 'aborted');
    assert.equal(batch.state, 'Aborted');
  });

  it('is not started by itself long after its scheduleTime, and says why; a person may', () => {
    const scheduleTime = new Date(START_MS + 60_000).toISOString();
    const batch = Scenario.given({ scheduleTime, autoTrigger: true });
    batch.nowMs = Date.parse(scheduleTime) + 16 * 60_000;
    batch.when('reconcile');
    assert.deepEqual([batch.state, batch.doc!.reason?.code], ['Pending', 'missed']);
    assert.match(batch.doc!.reason!.message, /missed by 16 minutes/);
    assert.equal(batch.when('start').state, 'ValidationRunning');
  });

  it('starts with the steps that it is told, in place of its own', () => {
    const batch = Scenario.given({ steps: ['validation', 'preparation', 'delivery'] });
    const steps = ['validation'];
    const chain = resolveChain(steps, builtInStepTypes());
    assert.ok(chain.ok);
    batch.when('start', { steps }, { chain: { steps: chain.steps, findings: [] } });
    assert.deepEqual(batch.doc!.definition.steps, steps);
    assert.equal(batch.answer('done', 0).state, 'Succeeded');
  });

  it('names every field that the state forbids to change, and changes none', () => {
    const batch = Scenario.given().upTo('delivery');
    batch.when('update', { patch: { name: 'new', content: 'x', sender: 'y', ratePerSecond: 5 } });
    assert.equal(batch.refusal?.code, 'field-frozen');
    assert.deepEqual(
      batch.refusal?.errors.map(({ field }) => field),
      ['content', 'sender'],
    );
    batch.when('update', { patch: { ratePerSecond: 5 } });
    assert.ok(batch.effects.some((effect) => effect.kind === 'rate' && effect.ratePerSecond === 5));
  });

  it('refuses a version that is not the expected one', () => {
    const batch = Scenario.given();
    batch.when('start', { expectedVersion: 7 });
    assert.equal(batch.refusal?.code, 'version-conflict');
  });

  it('makes a child of the recipients a filter names, with an ID that a redelivery makes again', () => {
    const batch = Scenario.given().upTo('statistics').finishPhase();
    const before = batch.doc!;
    batch.when('retry', { filter: { outcomes: ['rejected'], codes: ['0x0000000B'] }, start: true });
    const first = batch.child;
    batch.doc = before;
    batch.when('retry', { filter: { outcomes: ['rejected'], codes: ['0x0000000B'] }, start: true });
    const again = batch.child;
    assert.equal(first?.verb, 'create-child');
    assert.equal(first?.batchId, again?.batchId);
  });

  it('gives pending recipients to a child only when it has ended', () => {
    const batch = Scenario.given().upTo('delivery');
    batch.when('retry', { filter: { outcomes: ['pending'] } });
    assert.equal(batch.refusal?.code, 'state-forbids');
    batch.when('clone');
    assert.equal(batch.refusal?.code, 'state-forbids');
  });

  it('leaves a tombstone that no late answer or create revives', () => {
    const batch = Scenario.given().when('delete');
    assert.ok(batch.doc!.deletedAt);
    assert.deepEqual(batch.handedOut, [0]);
    batch.when('create', { batch: { name: 'b', content: 'hi', tableStorageName: 't' } });
    assert.equal(batch.refusal?.code, 'deleted');
    batch.when('start');
    assert.equal(batch.refusal?.code, 'deleted');
    batch.when('reconcile');
    assert.deepEqual(batch.handedOut, [0], 'a clean-up whose message was lost goes out again');
    const running = Scenario.given().upTo('delivery').when('delete');
    assert.equal(running.refusal?.code, 'state-forbids');
  });

  it('refuses what the state forbids, with the reason: abort or pause never overwrite an end', () => {
    const ended = Scenario.given().upTo('statistics').finishPhase();
    for (const verb of ['pause', 'resume', 'abort', 'start', 'retry'] as const) {
      ended.when(verb);
      assert.equal(ended.refusal?.code, 'state-forbids', verb);
      assert.equal(ended.state, 'Succeeded');
    }
  });

  it('passes over a step whose skip condition holds', () => {
    const skipIf = { field: 'tags', equals: 'keep' };
    const steps = ['validation', 'preparation', 'delivery', 'statistics', { type: 'cleanup', skipIf }];
    const kept = Scenario.given({ steps, tags: ['keep'] })
      .upTo('statistics')
      .finishPhase();
    assert.equal(kept.state, 'Succeeded');
    const cleaned = Scenario.given({ steps }).upTo('statistics').finishPhase();
    assert.equal(cleaned.state, 'CleanupRunning');
  });
});
