import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noOutcomes } from '../../../contracts/outcomes.ts';
import { issueTasks } from '../../../lib/tasks/issue.ts';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';
import { PLAIN_STEPS } from '../../../services/steps/built-in-steps.ts';
import { preparationStep } from '../../../services/steps/preparation/step.ts';
import { CROWD, crowdedBucket, type Rig, testRig } from './support.ts';

let rig: Rig;
before(async () => {
  rig = await testRig();
  await rig.serve(PLAIN_STEPS.filter(({ type }) => type !== 'preparation'));
  await crowdedBucket(rig, 'people');
});
after(() => rig[Symbol.asyncDispose]());

const whole = { ...noOutcomes(), pending: CROWD, duplicate: 4 * CROWD };

const started: ChildProcess[] = [];
after(() => {
  for (const child of started) child.kill('SIGKILL');
});

function start(fixture: string, args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(`./fixtures/${fixture}`, import.meta.url));
  const child = spawn(process.execPath, [...TYPESCRIPT, path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  return child;
}

describe('preparation killed around any of its writes', () => {
  // Two inserts and the task document a group, and where the bucket's numbers are: before the first write up to behind the last.
  const moments = [2, 3, 4, 6, 7, 13, 16, 17, 18, 19, 20];
  const lanes = 2;

  it('is gone on with by the next holder, and every recipient is there once', {
    timeout: 120_000,
  }, async () => {
    const { mongoUrl, mongoDatabase } = rig.urls;
    const waiting = [...moments];
    const lane = async () => {
      for (let moment = waiting.shift(); moment !== undefined; moment = waiting.shift()) {
        const id = `k${moment}`;
        const batch = await rig.batch(id, { tableStorageName: 'people', content: 'Dear {{name}}' });
        const size = (await rig.run(batch, 'partition')).body.result;
        const task = { batchId: id, step: 'preparation', task: 0, epoch: 1, incarnation: 'l1', config: {} };
        // Handed out, but its message is on its way: the first holder is not ours.
        await issueTasks(rig.store.tasks, [task], null, Date.now());
        const child = start('dies-at-write.ts', [mongoUrl, mongoDatabase, id, 'l1', String(moment)]);
        const [code, signal] = await once(child, 'exit');
        assert.equal(signal, 'SIGKILL', `moment ${moment}: exit code ${code}`);
        const { body } = await rig.run(batch, 'preparation');
        assert.deepEqual(body.result.counts, whole, `moment ${moment}`);
        assert.deepEqual(body.result.segmentHistogram, { 1: CROWD });
        assert.equal(await rig.store.outcomes.countDocuments({ batchId: id }), size.chunks);
        assert.equal(await rig.store.messageChunks.countDocuments({ batchId: id }), size.chunks);
        const counted = await rig.run(batch, 'statistics');
        assert.deepEqual(counted.body.result.counts, whole, `moment ${moment}`);
      }
    };
    await using _serving = await rig.serve([preparationStep]);
    await Promise.all(Array.from({ length: lanes }, lane));
  });
});

describe('a service that dies or freezes in the middle of a task', () => {
  async function halfway(id: string): Promise<{ child: ChildProcess; lines: string[] }> {
    const { natsUrl, mongoUrl, mongoDatabase } = rig.urls;
    const child = start('stops-at-guard.ts', [natsUrl, mongoUrl, mongoDatabase]);
    const lines: string[] = [];
    const output = createInterface({ input: child.stdout! });
    const line = (wanted: string) =>
      new Promise<void>((resolve) => {
        output.on('line', (text) => {
          lines.push(text);
          if (text === wanted) resolve();
        });
      });
    await line('serving');
    const batch = await rig.batch(id, { tableStorageName: 'people', content: 'Dear {{name}}' });
    await rig.run(batch, 'partition');
    const there = line('guard');
    await rig.issue(batch, 'preparation');
    await there;
    return { child, lines };
  }

  it('is followed by another within seconds of kill -9', { timeout: 60_000 }, async () => {
    const { child } = await halfway('dead');
    const answer = rig.answered('dead', 'preparation', 0, 1);
    child.kill('SIGKILL');
    const killedAt = performance.now();
    await using _serving = await rig.serve([preparationStep]);
    const { body } = await answer;
    assert.deepEqual(body.result.counts, whole);
    assert.ok(performance.now() - killedAt < 15_000);
  });

  it('finds, when it wakes up, that the task went to another, and says nothing', {
    timeout: 60_000,
  }, async () => {
    const { child, lines } = await halfway('frozen');
    const answer = rig.answered('frozen', 'preparation', 0, 1);
    child.kill('SIGSTOP');
    await using _serving = await rig.serve([preparationStep]);
    const { body } = await answer;
    assert.deepEqual(body.result.counts, whole);
    const woken = new Promise((resolve) => child.stdout!.once('data', resolve));
    child.kill('SIGCONT');
    child.stdin!.write('\n');
    await woken;
    assert.ok(lines.includes('then lost'), lines.join());
    assert.equal(
      rig.answers.filter((each) => each.body.batchId === 'frozen' && each.body.step === 'preparation').length,
      1,
    );
    const { counts } = (await rig.run((await rig.store.batches.findOne({ _id: 'frozen' }))!, 'statistics'))
      .body.result;
    assert.deepEqual(counts, whole);
    child.kill('SIGKILL');
  });
});
