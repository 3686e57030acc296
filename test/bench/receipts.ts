import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { streamShapes } from '../../contracts/streams.ts';
import { RECEIPT_CONSUMER, receiptSubject, STREAMS } from '../../contracts/subjects.ts';
import { connectMongo } from '../../lib/mongo/connect.ts';
import { connectNats } from '../../lib/nats/connect.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { ensureStream } from '../../lib/nats/streams.ts';
import { seededRandom } from '../../lib/random/seeded-random.ts';
import { accountOf } from '../../lib/stats/account.ts';
import { storeOf } from '../../lib/store/collections.ts';
import { startServers } from '../../scripts/servers/start-servers.ts';
import { startReceipts } from '../../services/receipts/component.ts';
import { type SentBatch, sentBatch } from '../support/sent-batch.ts';

// npx tsx test/bench/receipts.ts [recipients] [delayed|random|hex]: receipts a second through the component, from a full
// stream to receipt documents; CPU of this process a receipt; its largest resident memory.
const recipients = Number(process.argv[2] ?? 200_000);
const order = process.argv[3] ?? 'delayed';
const A_MESSAGE = 500;
const CHUNKS_A_WRITE = 100;
const log = pino({ level: process.env.LOG_LEVEL ?? 'error' });

// The documents and receipts are made in a process of their own, so that memory and CPU here are the component's.
const preparing = process.env.BENCH_PREPARES === '1';
await using servers = await startServers({
  servers: ['nats', 'mongo'],
  environment: preparing ? process.env : {},
  ...(preparing && { database: process.env.BENCH_DATABASE! }),
  label: 'bench-receipts',
});
await using nats = await connectNats({ url: servers.natsUrl, name: 'bench', log });
await using mongo = await connectMongo({
  url: servers.mongoUrl,
  database: servers.mongoDatabase,
  name: 'bench',
  log,
});
const store = storeOf(mongo.db);
if (!preparing) for (const shape of streamShapes()) await ensureStream(nats.jsm, shape as never);

const hexId = (i: number): string => (0x39f9_9dd5 + i).toString(16);
const decimalId = (i: number): string => `0${0x39f9_9dd5 + i}`;

async function prepare(): Promise<SentBatch> {
  const bits = Math.min(8, Math.max(0, Math.ceil(Math.log2(recipients / 5_000))));
  const sent = sentBatch({
    batchId: 'bench',
    bucketBits: bits,
    chunkSize: 500,
    recipients: Array.from({ length: recipients }, (_, i) => ({
      msisdn: String(447_000_000_000 + i * 37),
      ids: [hexId(i)],
    })),
  });
  await store.batches.insertOne(sent.batch);
  await store.partitions.insertOne(sent.partition);
  await store.numberPlaces.insertMany(sent.numberPlaces);
  for (let at = 0; at < sent.messages.length; at += CHUNKS_A_WRITE) {
    await store.messageChunks.insertMany(sent.messages.slice(at, at + CHUNKS_A_WRITE));
    await store.outcomes.insertMany(sent.outcomes.slice(at, at + CHUNKS_A_WRITE));
  }
  return sent;
}

/** Receipts as the carrier sends them: in the order of sending with delays that overlap, or in no order at all. */
async function publish(sent: SentBatch): Promise<number> {
  const random = seededRandom(7);
  const sending = [...sent.placeOf].sort((a, b) => a[1].index - b[1].index || a[1].position - b[1].position);
  const indexOf = (msisdn: string) => (Number(msisdn) - 447_000_000_000) / 37;
  const keyed = sending.map(([msisdn], n) => ({
    msisdn,
    at: order === 'random' ? random() : n - Math.log(1 - random()) * 10_000,
  }));
  keyed.sort((a, b) => a.at - b.at);
  const publisher = publisherOf(nats);
  let bytes = 0;
  const sends: Promise<unknown>[] = [];
  for (let at = 0; at < keyed.length; at += A_MESSAGE) {
    const receipts = keyed.slice(at, at + A_MESSAGE).map(({ msisdn }, i) => ({
      messageId: order === 'hex' ? decimalId(indexOf(msisdn)) : hexId(indexOf(msisdn)),
      msisdn,
      state: random() < 0.95 ? 'delivered' : 'undelivered',
      error: '000',
      atMs: 1_700_000_000_000 + at + i,
    }));
    const body = JSON.stringify({ provider: 'main', receipts });
    bytes += body.length;
    sends.push(
      publisher.publish({ stream: STREAMS.receipts, subject: receiptSubject('main'), msgId: `m${at}`, body }),
    );
    if (sends.length === 50) await Promise.all(sends.splice(0));
  }
  await Promise.all(sends);
  return bytes / keyed.length;
}

if (preparing) {
  console.log(Math.round(await publish(await prepare())));
} else {
  await measure();
}

function prepareElsewhere(): string {
  return execFileSync(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      BENCH_PREPARES: '1',
      BENCH_DATABASE: servers.mongoDatabase,
      NATS_URL: servers.natsUrl,
      MONGODB_URL: servers.mongoUrl,
    },
  }).trim();
}

/** CPU seconds that a server has used. */
function cpuSecondsOf(pid: number | null): number {
  if (pid === null || !existsSync(`/proc/${pid}/stat`)) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
function serverSeconds(): { name: string; seconds: number }[] {
  return servers.started.map(({ name, pid }) => ({ name, seconds: cpuSecondsOf(pid) }));
}

async function measure(): Promise<void> {
  const bytes = prepareElsewhere();
  const batch = (await store.batches.findOne({ _id: 'bench' }))!;
  let peakBytes = 0;
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
  }, 50);
  const jsm = await jetstreamManager(nats.nc);
  const component = startReceipts({
    nats,
    store,
    registry: new Registry(),
    log,
    version: '0.0.0',
    hostId: 'bench',
  });
  await component.start();
  const messages = Math.ceil(recipients / A_MESSAGE);
  const left = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { num_pending, num_ack_pending } = await jsm.consumers.info(STREAMS.receipts, RECEIPT_CONSUMER);
    return num_pending + num_ack_pending;
  };
  // The first quarter warms up: compiled code, and the numbers of the batch.
  let begun = messages;
  while (begun > messages * 0.75) begun = await left();
  const cpu = process.cpuUsage();
  const serversBefore = serverSeconds();
  const startedAt = performance.now();
  while ((await left()) > 0);
  const measured = begun * A_MESSAGE;
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const ofServers = serverSeconds().map(({ name, seconds: after }, i) => {
    const used = after - serversBefore[i]!.seconds;
    return `${name} ${((used * 1e6) / measured).toFixed(2)}`;
  });
  clearInterval(watch);
  const countedAt = performance.now();
  const account = await accountOf(store, batch);
  const countMs = performance.now() - countedAt;
  await component.stop();
  const { delivered, undelivered } = account.receipts;
  console.log(
    [
      `${recipients.toLocaleString('en')} receipts, ${order}, ${A_MESSAGE} a message, ${bytes} bytes each`,
      `${Math.round(measured / seconds).toLocaleString('en')} receipts/s`,
      `${((user + system) / measured).toFixed(2)} CPU µs a receipt in this process, ${ofServers.join(', ')}`,
      `${Math.round(peakBytes / 1_048_576)} MiB at most`,
      `account ${Math.round(countMs)} ms: delivered ${delivered}, undelivered ${undelivered}`,
    ].join('; '),
  );
  if (delivered + undelivered !== recipients) process.exitCode = 1;
}
