/**
 * Recipients a second through the preparation step, on servers of its own: source chunks read, texts rendered, encoded and
 * counted, duplicates found, outcome documents and message chunks written, the task document moved with each group.
 * Usage: npx tsx test/bench/preparation.ts [recipients] [tasks at once]
 */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { lifeId } from '../../contracts/ids.ts';
import type { StepTask } from '../../contracts/steps.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { storeOf } from '../../lib/store/collections.ts';
import { freeze } from '../../lib/tables/freeze.ts';
import { placeRows } from '../../lib/tables/place-rows.ts';
import type { RowSource } from '../../lib/tables/row-source.ts';
import { issueTasks } from '../../lib/tasks/issue.ts';
import { takeTask } from '../../lib/tasks/take.ts';
import { startServers } from '../../scripts/servers/start-servers.ts';
import { stepContext } from '../../services/steps/context.ts';
import { preparationStep } from '../../services/steps/preparation/step.ts';
import { batchDocument } from '../services/steps/support.ts';

const rows = Number(process.argv[2] ?? 500_000);
const atOnce = Number(process.argv[3] ?? preparationStep.concurrency);
const log = pino({ level: 'silent' });
const CONTENTS = {
  'same text': 'Dear customer, our shop opens at nine tomorrow. See you there! Your Brand',
  'three variables':
    'Dear {{name}}, your parcel {{code}} arrives on {{day}}. Your Brand wishes you a nice day.',
  'three variables, UCS-2': '{{name}}您好，您的包裹 {{code}} 将于 {{day}} 送达，请注意查收。',
};

await using servers = await startServers({ servers: ['mongo'] });
await using mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'bench',
  log,
});
const store = storeOf(mongo.db);
await placeRows(store, { table: 'people', source: generated(rows) });

for (const [name, content] of Object.entries(CONTENTS)) {
  for (let round = 1; round <= 2; round++) {
    const batch = batchDocument(`b${round}-${name.replace(/[^a-z0-9]/gi, '')}`, {
      content,
      tableStorageName: 'people',
    });
    const life = lifeId(batch._id, batch.incarnation);
    await store.batches.insertOne(batch);
    const layout = await freeze(store, 'people');
    await store.partitions.insertOne({ ...layout, _id: life, batchId: batch._id, createdAt: Date.now() });
    const messages = layout.taskStarts.map((_, task): StepTask => {
      return {
        batchId: batch._id,
        step: 'preparation',
        task,
        epoch: 1,
        incarnation: batch.incarnation,
        config: {},
      };
    });
    await issueTasks(store.tasks, messages, null, Date.now());
    const cpu = process.cpuUsage();
    const serverCpu = serverSeconds();
    const begun = performance.now();
    const waiting = [...messages];
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let message = waiting.shift(); message; message = waiting.shift()) await work(message);
      }),
    );
    const seconds = (performance.now() - begun) / 1000;
    const used = process.cpuUsage(cpu);
    console.log(
      `${name.padEnd(24)} ${Math.round(rows / seconds)
        .toLocaleString('en')
        .padStart(9)} recipients/s, ` +
        `${((used.user + used.system) / rows).toFixed(2)} µs of CPU each and ` +
        `${(((serverSeconds() - serverCpu) * 1e6) / rows).toFixed(2)} in the database, ${messages.length} tasks, ${atOnce} at once, ` +
        `peak ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
    );

    async function work(message: StepTask): Promise<void> {
      const id = `${life}.preparation.${message.task}`;
      const taken = await takeTask(store.tasks, { id, epoch: 1, holder: 'bench' });
      if (taken.kind !== 'taken') throw new Error(`${id} is ${taken.kind}`);
      const { context } = stepContext({
        task: taken.task,
        message,
        batch,
        store,
        onRefused: () => {},
        publisher: { publish: async () => ({ kind: 'stored', seq: 0 }) },
        log,
        signal: new AbortController().signal,
        progressEveryMs: 1_000,
      });
      const outcome = await preparationStep.run(context);
      if (outcome.kind !== 'done') throw new Error(`${id} ended ${outcome.kind}`);
    }
  }
}

/** CPU that the database has used, in seconds; 0 where it is not ours, or not on Linux. */
function serverSeconds(): number {
  const pid = servers.started.find(({ name }) => name === 'mongo')?.pid;
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Valid British mobiles and three variables, a thousand rows at a time. */
function generated(count: number): RowSource {
  return {
    label: 'generated',
    reading: 'generated',
    sha256: () => `generated ${count}`,
    fraction: () => undefined,
    async *batches() {
      for (let at = 0; at < count; at += 1_000) {
        const size = Math.min(1_000, count - at);
        const lines = Array.from({ length: size }, (_, i) => at + i + 1);
        yield {
          columns: ['phone', 'name', 'code', 'day'],
          phoneAt: 0,
          rows: lines.map((n) => [
            `+4479${String(11_000_000 + n)}`,
            `Name ${n % 5_000}`,
            (n * 7_919).toString(36),
            'Monday',
          ]),
          lines,
          badLines: [],
        };
      }
    },
  };
}
