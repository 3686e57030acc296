/**
 * What many would build instead: BullMQ, one job a message, concurrency 200, npm smpp. From the first add to the last
 * answer. `bullmq-loop.ts <redis port> <smpp port> <messages>`; prints one JSON line, then waits for SIGTERM.
 */
import { once } from 'node:events';
import { Queue, Worker } from 'bullmq';
import smpp from 'smpp';
import { numberOf, SENDER, textOf } from './message.ts';
import { cpuMeter } from './usage.ts';

const CONCURRENCY = 200;
const ADD_AT_ONCE = 1_000;

const [redisPort = 0, smppPort = 0, messages = 0] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port: redisPort, maxRetriesPerRequest: null };

const session = smpp.connect({ host: '127.0.0.1', port: smppPort });
await once(session, 'connect');
session.socket.setNoDelay(true);
await new Promise<void>((resolve) => {
  session.bind_transceiver({ system_id: 'bench', password: 'bench' }, () => resolve());
});

const name = `bench-${process.pid}`;
const queue = new Queue(name, { connection });
let done = 0;
let finished = (): void => {};
const allDone = new Promise<void>((resolve) => {
  finished = resolve;
});
const worker = new Worker<{ to: string; text: string }>(
  name,
  ({ data }) =>
    new Promise((resolve, reject) => {
      session.submit_sm(
        {
          source_addr_ton: 5,
          source_addr: SENDER,
          dest_addr_ton: 1,
          dest_addr_npi: 1,
          destination_addr: data.to,
          data_coding: 0,
          short_message: data.text,
        },
        (pdu) =>
          pdu.command_status === 0 ? resolve(pdu.message_id) : reject(new Error(`${pdu.command_status}`)),
      );
    }),
  { connection, concurrency: CONCURRENCY, removeOnComplete: { count: 0 } },
);
worker.on('completed', () => {
  if (++done === messages) finished();
});
await worker.waitUntilReady();

const cpu = cpuMeter();
const from = performance.now();
for (let first = 0; first < messages; first += ADD_AT_ONCE) {
  const size = Math.min(ADD_AT_ONCE, messages - first);
  await queue.addBulk(
    Array.from({ length: size }, (_, i) => ({
      name: 'sms',
      data: { to: numberOf(first + i), text: textOf(first + i) },
    })),
  );
}
await allDone;
console.log(
  JSON.stringify({ result: true, messages, seconds: (performance.now() - from) / 1000, cpuSeconds: cpu() }),
);
process.once('SIGTERM', () => process.exit(0));
setInterval(() => {}, 60_000);
