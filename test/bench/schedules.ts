/**
 * Many one-time schedules due in one second, by two scheduler processes of which one is killed at the instant, beside what
 * the bare server does: it fires as many timers and takes as many publishes. And the memory of a process with many armed.
 * npx tsx test/bench/schedules.ts [schedules] [armed]
 */
import { readFileSync } from 'node:fs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { STREAMS, scheduleTimer, timerSubject } from '../../contracts/subjects.ts';
import { silentLogger } from '../../lib/log/logger.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { callApi } from '../../scripts/engine/api.ts';
import { startEngine } from '../../scripts/engine/engine.ts';
import { testServers } from '../support/servers.ts';
import { until } from '../support/until.ts';

const many = Number(process.argv[2] ?? 10_000);
const armed = Number(process.argv[3] ?? 0);
const PATIENCE_MS = 600_000;
const AT_ONCE = 64;

await using servers = await testServers();
await using mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'bench',
  log: silentLogger(),
});
const nc = await connect({ servers: servers.natsUrl });
const js = jetstream(nc, { timeout: 60_000 });
const jsm = await jetstreamManager(nc);
await jsm.streams.add({ name: 'BENCH', subjects: ['bench.>'], storage: 'file' });

const rateOf = (count: number, ms: number) => Math.round((count / ms) * 1000);
const stored = async (subject: string) => {
  const { state } = await jsm.streams.info('BENCH', { subjects_filter: subject });
  return state.subjects ?? {};
};
/** Cheap to ask for: the subjects of all of them are not. */
const countAll = async () => (await jsm.streams.info('BENCH')).state.messages;

/** Runs `work` for 0 … count - 1, so many at once. */
async function each(count: number, work: (n: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return rateOf(count, performance.now() - startedAt);
}

async function bare(): Promise<number> {
  await jsm.streams.add({
    name: 'BARE',
    subjects: ['bare.schedule.*', 'bare.due.*'],
    retention: 'workqueue',
    storage: 'file',
    allow_msg_schedules: true,
  });
  await jsm.consumers.add('BARE', {
    durable_name: 'due',
    filter_subject: 'bare.due.*',
    ack_policy: 'explicit',
    max_ack_pending: 4_000,
  });
  const dueMs = Date.now() + 3_000 + many;
  const rate = await each(many, (n) =>
    js.publish(`bare.schedule.${n}`, '{}', {
      msgID: `bare-${n}`,
      schedule: { specification: new Date(dueMs), target: `bare.due.${n}` },
    }),
  );
  console.log(`bare server: ${many} timers armed, ${rate}/s`);
  const consumer = await js.consumers.get('BARE', 'due');
  let taken = 0;
  const published: Promise<unknown>[] = [];
  while (taken < many) {
    for await (const message of await consumer.fetch({ max_messages: 500, expires: 10_000 })) {
      published.push(js.publish(`bench.bare.${taken++}`, '{}', { msgID: `bare-${message.subject}` }));
      message.ack();
    }
  }
  await Promise.all(published);
  return rateOf(many, Date.now() - dueMs);
}

const bareRate = await bare();
console.log(`bare server: ${many} fired and as many publishes taken, ${bareRate}/s`);

const env = { SCHEDULER_SUBJECTS: 'bench.>', HTTP_PORT: '0' };
const start = (name: string) => startEngine(name, ['scheduler'], { servers, providers: [], env });
const memoryMb = (pid: number): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024);
let [victim, survivor] = await Promise.all([start('victim'), start('survivor')]);

/** The same create twice is one schedule: a server that does not answer for a moment is asked again. */
async function create(body: object): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await callApi(nc, 'schedule', 'create', body);
      return;
    } catch (error) {
      if (tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** CPU that a process has used, ms. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
const serverPid = (name: string): number => servers.started.find((each) => each.name === name)!.pid!;

async function fireMany(round: string, kill: boolean): Promise<number> {
  // Arming takes about 2 ms each on two cores.
  const dueMs = Date.now() + 5_000 + many * 6;
  const at = new Date(dueMs).toISOString();
  const rate = await each(many, (n) =>
    create({
      id: `${round}-${n}`,
      schedule: { at, target: { kind: 'publish', subject: `bench.${round}.${n}`, payload: {} } },
    }),
  );
  console.log(
    `${round}: ${many} schedules created and armed, ${rate}/s; ${Math.round((dueMs - Date.now()) / 1000)} s to go`,
  );
  const before = await countAll();
  await until('the first fires', async () => (await countAll()) > before, PATIENCE_MS);
  const pids = { nats: serverPid('nats'), mongodb: serverPid('mongo'), scheduler: survivor.pid };
  const used = Object.values(pids).map(cpuMs);
  if (kill) victim.kill('SIGKILL');
  await until('all have fired', async () => (await countAll()) >= before + many, PATIENCE_MS);
  const took = Date.now() - dueMs;
  const cpu = Object.entries(pids).map(([name, pid], i) => `${name} ${cpuMs(pid) - used[i]!}`);
  console.log(`${round}: CPU while they fired, ms: ${cpu.join(', ')}`);
  const subjects = await stored(`bench.${round}.*`);
  const twice = Object.values(subjects).filter((count) => count > 1).length;
  console.log(`${round}: lost ${many - Object.keys(subjects).length}, twice ${twice}`);
  return rateOf(many, took);
}

const rate = await fireMany('both', false);
console.log(`two schedulers: ${rate}/s, ${(rate / bareRate).toFixed(2)} of the bare server (0.5 wanted)`);
const withKill = await fireMany('killed', true);
console.log(
  `one of them killed at the instant: ${withKill}/s, ${(withKill / bareRate).toFixed(2)} of the bare server`,
);

if (armed > 0) {
  victim = await start('victim');
  const schedules = mongo.db.collection<{ _id: string }>('schedules');
  const template = (await schedules.findOne({ _id: 'both-0' }))! as Record<string, unknown>;
  const before = memoryMb(survivor.pid);
  const dueMs = Date.now() + 24 * 3_600_000;
  for (let from = 0; from < armed; from += 1_000) {
    const documents = Array.from({ length: Math.min(1_000, armed - from) }, (_, i) => ({
      ...template,
      _id: `far-${from + i}`,
      state: 'active',
      outbox: [],
      runs: [],
      next: { dueAt: dueMs, fireAt: dueMs },
    }));
    await schedules.insertMany(documents, { ordered: false });
    await Promise.all(
      documents.map(({ _id }) =>
        js.publish(timerSubject(scheduleTimer(_id)), JSON.stringify({ version: 1, dueAt: dueMs }), {
          schedule: { specification: new Date(dueMs), target: `sms.due.${scheduleTimer(_id)}` },
        }),
      ),
    );
  }
  const { state } = await jsm.streams.info(STREAMS.schedules);
  // A few sweeps over them.
  await new Promise((resolve) => setTimeout(resolve, 45_000));
  console.log(
    `${state.messages} timers armed: a scheduler has ${memoryMb(survivor.pid)} MB (${before} MB before)`,
  );
  await servers.restart('nats');
  // It reads them all before it answers.
  const kept = await until(
    'the stream',
    () =>
      jsm.streams.info(STREAMS.schedules).then(
        (info) => info.state.messages,
        () => undefined,
      ),
    PATIENCE_MS,
  );
  console.log(`nats-server killed and started: ${kept} timers there`);
}
await Promise.all([victim.stop(), survivor.stop()]);
await nc.close();
