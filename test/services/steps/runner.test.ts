import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { UpdateFilter } from 'mongodb';
import Type from 'typebox';
import { taskId } from '../../../contracts/ids.ts';
import { deadSubject, parseEventSubject, STREAMS, stepSubject } from '../../../contracts/subjects.ts';
import { resolveChain } from '../../../lib/batch/chain.ts';
import { deadHeader } from '../../../lib/nats/dead-letter.ts';
import { request, ServiceError } from '../../../lib/nats/request.ts';
import { readStepTypes } from '../../../lib/steps/step-types.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import { holderLives } from '../../../lib/tasks/holder-lives.ts';
import { type Step, type StepContext, StepFailure } from '../../../services/steps/step.ts';
import { type Rig, testRig } from './support.ts';

let rig: Rig;
before(async () => {
  rig = await testRig();
});
after(() => rig[Symbol.asyncDispose]());

/** A custom step whose work a test decides; each test has a type of its own. */
const custom = (type: string, run: Step['run'], more: Partial<Step> = {}): Step => ({
  type,
  description: 'A step of a test',
  defaultTimeoutMs: 10_000,
  run,
  ...more,
});

describe('a task of a custom step', () => {
  it('is run, stored as done, and answered', async () => {
    await rig.serve([custom('report', async () => ({ kind: 'done', result: { data: { rows: 3 } } }))]);
    const batch = await rig.batch('b1', {});
    const { verb, body } = await rig.run(batch, 'report');
    assert.equal(verb, 'step-done');
    assert.deepEqual(body.result, { data: { rows: 3 } });
    assert.equal(body.incarnation, batch.incarnation);
    const task = await rig.store.tasks.findOne({ _id: taskId('b1', 'l1', 'report', 0) });
    assert.equal(task?.done, true);
    assert.equal(task?.out, false);
  });

  it('is answered again when its message comes again, without being run again', async () => {
    let runs = 0;
    await rig.serve([
      custom('once', async () => {
        runs++;
        return { kind: 'done', result: { data: { runs } } };
      }),
    ]);
    const batch = await rig.batch('b2', {});
    await rig.run(batch, 'once');
    const task = { batchId: 'b2', step: 'once', task: 0, epoch: 1, incarnation: 'l1', config: {} };
    await rig.publisher.publish({
      stream: STREAMS.steps,
      subject: stepSubject('once', 'b2', 0, 1),
      body: task,
      msgId: 'again',
    });
    await messageGone(stepSubject('once', 'b2', 0, 1));
    assert.equal(runs, 1);
  });

  it('fails the phase with its own findings', async () => {
    const finding = { field: 'credit', value: 0, expected: 'more than 0' };
    await rig.serve([
      custom('credit', async () => {
        throw new StepFailure('no-credit', 'There is no credit.', [finding]);
      }),
    ]);
    const { verb, body } = await rig.run(await rig.batch('b3', {}), 'credit');
    assert.equal(verb, 'step-failed');
    assert.equal(body.code, 'no-credit');
    // Out no more: else the sweep would look for its message for ever.
    await messageGone(stepSubject('credit', 'b3', 0, 1));
    assert.equal((await rig.store.tasks.findOne({ _id: taskId('b3', 'l1', 'credit', 0) }))?.out, false);
    assert.deepEqual(body.errors, [finding]);
  });

  it('comes back after any other error, and the batch does not fail for it', async () => {
    let runs = 0;
    await rig.serve([
      custom('flaky', async () => {
        runs++;
        if (runs < 3) throw new Error('the server is away');
        return { kind: 'done' };
      }),
    ]);
    const { verb } = await rig.run(await rig.batch('b4', {}), 'flaky');
    assert.equal(verb, 'step-done');
    assert.equal(runs, 3);
  });

  it('is counted while it is worked on, and timed by how it ended', async () => {
    const inHand = async () =>
      /^smsbatch_step_tasks_in_hand\{step="timed"\} (\d+)$/m.exec(await scraped())?.[1];
    const scraped = () => rig.metrics.metrics();
    const seen: unknown[] = [];
    await rig.serve([
      custom('timed', async () => {
        seen.push(await inHand());
        if (seen.length === 1) throw new Error('the server is away');
        if (seen.length === 2) return { kind: 'done' };
        throw new StepFailure('no-credit', 'There is no credit.');
      }),
    ]);
    await rig.run(await rig.batch('b12', {}), 'timed');
    await rig.run(await rig.batch('b13', {}), 'timed');
    await messageGone(stepSubject('timed', 'b13', 0, 1));
    assert.deepEqual(seen, ['1', '1', '1']);
    assert.equal(await inHand(), '0');
    const text = await scraped();
    for (const outcome of ['returned', 'done', 'failed']) {
      assert.match(
        text,
        new RegExp(`^smsbatch_step_task_seconds_count\\{step="timed",outcome="${outcome}"\\} 1$`, 'm'),
      );
    }
  });

  it('fails with the findings of a result that fits no schema', async () => {
    await rig.serve([custom('odd', async () => ({ kind: 'done', result: { rows: 3 } as never }))]);
    const { verb, body } = await rig.run(await rig.batch('b5', {}), 'odd');
    assert.equal(verb, 'step-failed');
    assert.equal(body.code, 'invalid-result');
    assert.equal(body.errors[0].field, 'result/rows');
  });

  it('asks for a pause with its reason', async () => {
    const stop = { code: 'wrong-sender', message: 'Everyone would be refused.' };
    await rig.serve([custom('stopper', async () => ({ kind: 'yielded', stop }))]);
    const { verb, body } = await rig.run(await rig.batch('b6', {}), 'stopper');
    assert.equal(verb, 'step-yielded');
    assert.deepEqual(body.stop, stop);
  });

  it('is told of a hold by its guard, stores its progress, and goes on from it in the next epoch', async () => {
    const seen: unknown[] = [];
    const batch = await rig.batch('b7', {});
    await rig.serve([
      custom('holder', async ({ guard, task }) => {
        seen.push([task.cursor, task.ownerSeq]);
        if (task.cursor > 0) return { kind: 'done' };
        assert.equal(await guard({ cursor: 7 }), 'go');
        await rig.hold(batch, 'holder', 0, 1);
        assert.equal(await guard({ cursor: 8 }), 'hold');
        return { kind: 'yielded' };
      }),
    ]);
    assert.equal((await rig.run(batch, 'holder')).verb, 'step-yielded');
    assert.equal((await rig.run(batch, 'holder', 0, { epoch: 2 })).verb, 'step-done');
    assert.deepEqual(seen, [
      [0, 1],
      [8, 2],
    ]);
  });

  it('that is held before it is begun is settled, not run', async () => {
    const batch = await rig.batch('b8', {});
    const types = ['settler'];
    const settler = custom('settler', () => assert.fail('it was run'), {
      settle: async () => ({ data: { settled: true } }),
    });
    const answer = rig.answered('b8', 'settler', 0, 1);
    await rig.issue(batch, 'settler');
    await rig.hold(batch, 'settler', 0, 1);
    await rig.serve([settler], { types });
    const { verb, body } = await answer;
    assert.equal(verb, 'step-yielded');
    assert.deepEqual(body.result, { data: { settled: true } });
  });

  it('of another epoch, another life or no batch at all is dropped', async () => {
    await rig.serve([custom('stale', () => assert.fail('it was run'))]);
    const batch = await rig.batch('b9', {});
    const subjects = [
      stepSubject('stale', 'b9', 0, 1),
      stepSubject('stale', 'b9', 1, 1),
      stepSubject('stale', 'nobody', 0, 1),
    ];
    const messages = [
      // The task document is of epoch 2 by now.
      { batchId: 'b9', step: 'stale', task: 0, epoch: 1, incarnation: batch.incarnation, config: {} },
      { batchId: 'b9', step: 'stale', task: 1, epoch: 1, incarnation: 'l0', config: {} },
      { batchId: 'nobody', step: 'stale', task: 0, epoch: 1, incarnation: 'l1', config: {} },
    ];
    await rig.store.tasks.insertOne({
      _id: taskId('b9', 'l1', 'stale', 0),
      epoch: 2,
      out: true,
      run: 'go',
    } as never);
    for (const [i, body] of messages.entries()) {
      await rig.publisher.publish({
        stream: STREAMS.steps,
        subject: subjects[i]!,
        body,
        msgId: `stale ${i}`,
      });
    }
    for (const subject of subjects) await messageGone(subject);
    assert.ok(rig.answers.every(({ body }) => body.step !== 'stale'));
  });

  it('goes on elsewhere at once when its service stops', async () => {
    const batch = await rig.batch('b10', {});
    const holders: (string | undefined)[] = [];
    let begun = () => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const mover = custom('mover', async ({ task, guard, signal }: StepContext) => {
      holders.push(task.holder);
      if (task.cursor > 0) return { kind: 'done', result: { data: { from: task.cursor } } };
      await guard({ cursor: 5 });
      begun();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { kind: 'left' };
    });
    const first = await rig.serve([mover], { holder: 'first' });
    const answer = rig.answered('b10', 'mover', 0, 1);
    await rig.issue(batch, 'mover');
    await hasBegun;
    const leftAt = performance.now();
    const [, { verb, body }] = await Promise.all([
      first.stop().then(() => rig.serve([mover], { holder: 'second' })),
      answer,
    ]);
    assert.equal(verb, 'step-done');
    assert.deepEqual(body.result, { data: { from: 5 } });
    assert.deepEqual(holders, ['first', 'second']);
    assert.ok(performance.now() - leftAt < 4_000, 'it did not wait for the redelivery');
  });
});

describe('the holder of a task that came back', () => {
  const holderOf = async (id: string) => {
    const batch = await rig.batch(id, {});
    await rig.issue(batch, 'nobody-serves');
    const task = { id: taskId(id, 'l1', 'nobody-serves', 0), epoch: 1 };
    const lives = () => holderLives(rig.store.tasks, task, new AbortController().signal, 60_000);
    const write = (change: UpdateFilter<TaskDocument>) => rig.store.tasks.updateOne({ _id: task.id }, change);
    return { task, lives, write };
  };

  it('lives where it goes on writing, or somebody else has begun to', async () => {
    for (const moved of ['progressVersion', 'ownerSeq'] as const) {
      const { lives, write } = await holderOf(`lives-${moved}`);
      await write({ $set: { holder: 'h' } });
      const answer = lives();
      const writing = setInterval(() => void write({ $inc: { [moved]: 1 } }), 20);
      assert.equal(await answer, true);
      clearInterval(writing);
    }
  });

  it('does not where nothing is written, nobody has it, or it has come to its end', async () => {
    const { task, lives, write } = await holderOf('dead');
    assert.equal(await lives(), false, 'nobody took it yet');
    await write({ $set: { holder: 'h' } });
    assert.equal(await holderLives(rig.store.tasks, task, new AbortController().signal, 500), false);
    const answer = lives();
    await write({ $set: { out: false } });
    assert.equal(await answer, false);
  });
});

describe('a message that is no task', () => {
  it('lies among the dead letters after three tries, with the reason', async () => {
    await rig.serve([custom('poison', () => assert.fail('it was run'))]);
    const subject = stepSubject('poison', 'p1', 0, 1);
    await rig.publisher.publish({ stream: STREAMS.steps, subject, body: '{"batchId":', msgId: 'poison' });
    await messageGone(subject);
    const letter = await rig.nats.jsm.streams.getMessage(STREAMS.dead, {
      last_by_subj: deadSubject(STREAMS.steps, subject),
    });
    assert.match(letter!.header.get(deadHeader.reason), /not JSON/);
    assert.equal(letter!.header.get(deadHeader.deliveries), '3');
    assert.equal(letter!.string(), '{"batchId":');
  });

  it('nor is one whose body names another task than its subject', async () => {
    const subject = stepSubject('poison', 'p2', 0, 1);
    const body = { batchId: 'p2', step: 'poison', task: 1, epoch: 1, incarnation: 'l1', config: {} };
    await rig.publisher.publish({ stream: STREAMS.steps, subject, body, msgId: 'poison 2' });
    await messageGone(subject);
    const letter = await rig.nats.jsm.streams.getMessage(STREAMS.dead, {
      last_by_subj: deadSubject(STREAMS.steps, subject),
    });
    assert.match(letter!.header.get(deadHeader.reason), /another task/);
  });
});

describe('progress', () => {
  it('is published as absolute, versioned sums', async () => {
    const counts = { ...zero, pending: 4 };
    await rig.serve([
      custom('counter', async ({ guard }) => {
        await guard({ cursor: 1, counts, segments: 9 });
        return { kind: 'done' };
      }),
    ]);
    await rig.run(await rig.batch('b11', {}), 'counter');
    const subject = 'sms.evt.b11.task-progress';
    assert.deepEqual(parseEventSubject(subject), { batchId: 'b11', event: 'task-progress' });
    const event = await rig.nats.jsm.streams.getMessage(STREAMS.events, { last_by_subj: subject });
    const { at: _at, ...body } = event!.json<Record<string, unknown>>();
    assert.deepEqual(body, {
      batchId: 'b11',
      incarnation: 'l1',
      step: 'counter',
      task: 0,
      epoch: 1,
      version: 1,
      counts,
      segments: 9,
    });
  });
});

describe('the steps that there are', () => {
  it('are written at start, and listed', async () => {
    const configSchema = Type.Object({ limit: Type.Integer() }, { additionalProperties: false });
    await rig.serve([
      custom('listed', async () => ({ kind: 'done' }), { place: { after: 'preparation' }, configSchema }),
    ]);
    const types = await readStepTypes(rig.store.db);
    assert.deepEqual(types.get('listed')?.place, { after: 'preparation' });
    assert.deepEqual(types.get('listed')?.needs, [{ type: 'preparation', implied: false }]);
    const { steps } = await request<{ steps: { type: string; builtIn: boolean }[] }>(
      rig.nats.nc,
      'sms.api.step.list',
      {},
      { deadlineMs: 2_000 },
    );
    assert.deepEqual(
      steps.slice(0, 6).map(({ type }) => type),
      ['validation', 'partition', 'preparation', 'delivery', 'statistics', 'cleanup'],
    );
    assert.ok(steps.some(({ type, builtIn }) => type === 'listed' && !builtIn));
  });

  it('can be somebody else’s: registered by request, and named by chains from then on', async () => {
    const ask = (body: object) => request(rig.nats.nc, 'sms.api.step.register', body, { deadlineMs: 2_000 });
    await ask({
      type: 'loyalty',
      timeoutMs: 5_000,
      place: { before: 'delivery' },
      configSchema: { type: 'object', properties: { points: { type: 'integer' } }, required: ['points'] },
    });
    const types = await readStepTypes(rig.store.db);
    const chain = (points: unknown) =>
      resolveChain([{ type: 'loyalty', config: { points } }, 'preparation', 'delivery'], types);
    assert.ok(chain(3).ok);
    const refused = chain('many');
    assert.ok(!refused.ok);
    assert.equal(refused.findings[0]?.field, 'steps/0/config/points');
    for (const type of ['delivery', 'listed', 'Bad Name']) {
      await assert.rejects(ask({ type, timeoutMs: 5_000 }), ServiceError, type);
    }
  });
});

const zero = {
  pending: 0,
  inFlight: 0,
  accepted: 0,
  rejected: 0,
  unknown: 0,
  suppressed: 0,
  duplicate: 0,
  invalid: 0,
  expired: 0,
};

/** Resolves when a task's message is settled: asked of the server, which tells nobody. */
async function messageGone(subject: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (await rig.nats.jsm.streams.getMessage(STREAMS.steps, { last_by_subj: subject })) {
    if (performance.now() > end) throw new Error(`${subject} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
