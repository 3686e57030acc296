/**
 * submit_sm per second over one TCP connection at a window, our session against npm smpp's, the same sink behind both.
 * `npx tsx test/bench/smpp-codec.ts [window] [messages of ours] [messages of npm smpp] [rounds]`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import smpp from 'smpp';
import { SmppSession } from '../../lib/smpp/session.ts';
import type { OutboundMessage } from '../../lib/smpp/submit-sm.ts';

const [window = 100, ours = 1_000_000, theirs = 50_000, rounds = 5] = process.argv.slice(2).map(Number);
const text = Buffer.from('Dear customer, your parcel 4711 arrives on Thursday between 10:00 and 12:00. Bye!');
const credentials = { systemId: 'bench', password: 'secret' };

interface Result {
  perSecond: number;
  cpuMicros: number;
}

async function measure(count: number, run: () => Promise<void>): Promise<Result> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await run();
  const seconds = (performance.now() - startMs) / 1000;
  const used = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMicros: (used.user + used.system) / count };
}

async function runOurs(port: number, count: number): Promise<Result> {
  let answered = 0;
  let next = 0;
  let finished = (): void => {};
  const source = { ton: 5, npi: 0, addr: 'Parcels' };
  const message: OutboundMessage = {
    source,
    destination: '',
    esmClass: 0,
    dataCoding: 0,
    registeredDelivery: 1,
    shortMessage: text,
  };
  const pump = (): void => {
    while (session.room > 0 && next < count) {
      message.destination = `49170${next++ % 10_000_000}`;
      session.submit(message, next, performance.now() + 400);
    }
  };
  const session = new SmppSession<number>(
    { host: '127.0.0.1', port, window, ...credentials },
    {
      onAnswer: (_tag, answer) => {
        if (answer.kind !== 'answered' || answer.commandStatus !== 0 || answer.messageId === '') {
          throw new Error(`unexpected answer: ${JSON.stringify(answer)}`);
        }
        if (++answered === count) finished();
      },
      onRoom: pump,
    },
  );
  session.start();
  await session.whenBound(5000);
  const result = await measure(count, async () => {
    await new Promise<void>((resolve) => {
      finished = resolve;
      pump();
    });
  });
  await session.stop();
  return result;
}

async function runTheirs(port: number, count: number, shortMessage: Buffer | string): Promise<Result> {
  const session = smpp.connect({ host: '127.0.0.1', port });
  await once(session, 'connect');
  await new Promise<void>((resolve) =>
    session.bind_transceiver({ system_id: 'bench', password: 'secret' }, () => resolve()),
  );
  let next = 0;
  let answered = 0;
  const result = await measure(count, async () => {
    await new Promise<void>((resolve) => {
      const send = (): void => {
        session.submit_sm(
          {
            source_addr_ton: 5,
            source_addr: 'Parcels',
            dest_addr_ton: 1,
            dest_addr_npi: 1,
            destination_addr: `49170${next++ % 10_000_000}`,
            registered_delivery: 1,
            data_coding: 0,
            short_message: shortMessage,
          },
          () => {
            if (++answered === count) resolve();
            else if (next < count) send();
          },
        );
      };
      while (next < Math.min(window, count)) send();
    });
  });
  session.destroy();
  return result;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const sink = fork(new URL('./smpp-sink.ts', import.meta.url));
const [port] = (await once(sink, 'message')) as [number];
const runs = {
  smsbatch: () => runOurs(port, ours),
  'npm smpp, bytes': () => runTheirs(port, theirs, text),
  'npm smpp, text': () => runTheirs(port, theirs, text.toString()),
};
const results = new Map<string, Result[]>(Object.keys(runs).map((name) => [name, []]));
// Round 0 warms up both ends; the others are interleaved, so that a slow minute of the machine hits all alike.
for (let round = 0; round <= rounds; round++) {
  for (const [name, run] of Object.entries(runs)) {
    const result = await run();
    if (round > 0) results.get(name)!.push(result);
  }
}
sink.disconnect();
console.log(
  `window ${window}, one connection, Node ${process.version}, ${rounds} rounds, median (min to max)`,
);
const speed = (value: number): string => Math.round(value).toLocaleString('en');
for (const [name, list] of results) {
  const speeds = list.map(({ perSecond }) => perSecond);
  const range = `(${speed(Math.min(...speeds))} to ${speed(Math.max(...speeds))})`;
  const cpu = median(list.map(({ cpuMicros }) => cpuMicros)).toFixed(2);
  const times = median(results.get('smsbatch')!.map(({ perSecond }) => perSecond)) / median(speeds);
  const ratio = name === 'smsbatch' ? '' : `; ours is ${times.toFixed(1)} times as fast`;
  console.log(
    `${name.padEnd(16)} ${speed(median(speeds)).padStart(10)} submit_sm/s ${range}, ${cpu} µs CPU a message${ratio}`,
  );
}
