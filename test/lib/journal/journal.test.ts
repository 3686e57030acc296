import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type Collection, MongoNetworkError } from 'mongodb';
import { pino } from 'pino';
import { noOutcomes } from '../../../contracts/outcomes.ts';
import { INTENT_VALID_MS, type JournalEntry, openJournal } from '../../../lib/journal/journal.ts';
import { connectMongo, type Mongo } from '../../../lib/mongo/connect.ts';
import { storeOf } from '../../../lib/store/collections.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import { holdTasks, issueTasks } from '../../../lib/tasks/issue.ts';
import { takeTask } from '../../../lib/tasks/take.ts';
import { testServers } from '../../support/servers.ts';

let servers: Awaited<ReturnType<typeof testServers>>;
let mongo: Mongo;
let tasks: Collection<TaskDocument>;
let task: TaskDocument;
let count = 0;
const { signal } = new AbortController();

before(async () => {
  servers = await testServers(['mongo']);
  const log = pino({ level: 'silent' });
  mongo = await connectMongo({ url: servers.mongoUrl, database: servers.mongoDatabase, name: 'test', log });
  tasks = storeOf(mongo.db).tasks;
});
after(async () => {
  await mongo?.close();
  await servers?.stop();
});
beforeEach(async () => {
  count += 1;
  const message = { batchId: `b${count}`, incarnation: 'i', step: 'delivery', task: 0, epoch: 1, config: {} };
  await issueTasks(tasks, [message], 7, 1);
  task = await take();
});

const idOf = () => `b${count}.i.delivery.0`;
const stored = async (): Promise<TaskDocument> => (await tasks.findOne({ _id: idOf() }))!;

async function take(): Promise<TaskDocument> {
  const taken = await takeTask(tasks, { id: idOf(), epoch: 1, holder: 'h' });
  assert.ok(taken.kind === 'taken');
  return taken.task;
}

const entry = (authorisedTo: number): JournalEntry => ({
  cursor: 0,
  authorisedTo,
  again: [],
  facts: [],
  counts: noOutcomes(),
  segments: 0,
  resent: 0,
  progressAt: 5,
});

/** The real collection, but the answers to its first intents are lost on the way back, or the intents on the way there. */
function lossy(lost: ('answer' | 'question')[]): Collection<TaskDocument> {
  return new Proxy(tasks, {
    get(target, name) {
      if (name !== 'updateOne') return Reflect.get(target, name, target);
      return async (...parameters: Parameters<typeof tasks.updateOne>) => {
        const loses = lost.shift();
        if (loses === 'question') throw new MongoNetworkError('cut on the way there');
        const found = await target.updateOne(...parameters);
        if (loses === 'answer') throw new MongoNetworkError('cut on the way back');
        return found;
      };
    },
  });
}

test('an intent is granted with the rate, for 400 ms from its first issue', async () => {
  const journal = openJournal(tasks, task, { signal, now: () => 1_000 });
  const answer = await journal.intent(entry(50));
  assert.ok(answer.kind === 'granted');
  assert.equal(answer.validUntilMs, 1_000 + INTENT_VALID_MS);
  assert.equal(answer.ratePerSecond, 7);
  assert.equal((await stored()).authorisedTo, 50);
});

test('a hold is told from a lost task', async () => {
  const journal = openJournal(tasks, task, { signal });
  await holdTasks(tasks, { batchId: task.batchId, incarnation: 'i', step: 'delivery', epoch: 1, out: [0] });
  assert.deepEqual(await journal.intent(entry(50)), { kind: 'hold' });
  assert.equal((await stored()).authorisedTo, 0);
  await tasks.updateOne({ _id: idOf() }, { $set: { run: 'go' } });
  await take();
  assert.deepEqual(await journal.intent(entry(60)), { kind: 'lost' });
  assert.equal(await journal.close(entry(60)), false);
  assert.equal((await stored()).authorisedTo, 0);
});

for (const lost of [
  ['answer'],
  ['question'],
  ['question', 'answer'],
  ['answer', 'answer', 'question'],
] as const) {
  test(`an intent whose ${lost.join(', then ')} is lost is read back before it is repeated`, async () => {
    const journal = openJournal(lossy([...lost]), task, { signal, now: () => 1_000 });
    const answer = await journal.intent(entry(50));
    assert.ok(answer.kind === 'granted');
    // The time has run since the first try.
    assert.equal(answer.validUntilMs, 1_000 + INTENT_VALID_MS);
    assert.equal(answer.ratePerSecond, 7);
    const { authorisedTo, progressVersion } = await stored();
    assert.deepEqual({ authorisedTo, progressVersion }, { authorisedTo: 50, progressVersion: 1 });
  });
}

test('a lost answer, and meanwhile another holder: lost', async () => {
  const losing = lossy(['answer']);
  const slow: Collection<TaskDocument> = new Proxy(losing, {
    get(target, name) {
      if (name !== 'findOne') return Reflect.get(target, name, target);
      return async (...parameters: Parameters<typeof tasks.findOne>) => {
        await take();
        return tasks.findOne(...parameters);
      };
    },
  });
  const journal = openJournal(slow, task, { signal });
  assert.deepEqual(await journal.intent(entry(50)), { kind: 'lost' });
});

test('an intent that was given up and arrives late sets nothing back', async () => {
  let arrive = (): void => {};
  const late = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  let delayed: Promise<unknown> | undefined;
  const slow: Collection<TaskDocument> = new Proxy(tasks, {
    get(target, name) {
      if (name !== 'updateOne') return Reflect.get(target, name, target);
      return (...parameters: Parameters<typeof tasks.updateOne>) => {
        if (delayed) return target.updateOne(...parameters);
        delayed = late.then(() => target.updateOne(...parameters));
        return delayed;
      };
    },
  });
  const journal = openJournal(slow, task, { signal, tryMs: 50 });
  assert.equal((await journal.intent(entry(50))).kind, 'granted');
  assert.equal((await journal.intent(entry(90))).kind, 'granted');
  arrive();
  assert.equal(((await delayed) as { matchedCount: number }).matchedCount, 0);
  assert.equal((await stored()).authorisedTo, 90);
});

test('two holders at once: none of the older one’s intents is acknowledged after the newer take', async () => {
  let owner = openJournal(tasks, task, { signal });
  for (let round = 0; round < 20; round++) {
    const old = owner;
    const racing = Promise.all([old.intent(entry(round)), take()]);
    const [, taken] = await racing;
    owner = openJournal(tasks, taken, { signal });
    assert.deepEqual(await old.intent(entry(1_000)), { kind: 'lost' });
    assert.equal((await owner.intent(entry(100 + round))).kind, 'granted');
    assert.equal((await stored()).authorisedTo, 100 + round);
  }
});
