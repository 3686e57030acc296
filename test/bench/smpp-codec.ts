/**
 * submit_sm per second over one TCP connection at a window, our session against npm smpp's, the same sink behind both.
 * `npx tsx test/bench/smpp-codec.ts [window] [messages of ours] [messages of npm smpp]`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import smpp from 'smpp';
import { SmppSession } from '../../lib/smpp/session.ts';
import type { OutboundMessage } from '../../lib/smpp/submit-sm.ts';

const [window = 100, ours = 2_000_000, theirs = 100_000] = process.argv.slice(2).map(Number);
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

async function runTheirs(port: number, count: number): Promise<Result> {
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
            short_message: text, // bytes: its own text encoder would cost it another quarter
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

const sink = fork(new URL('./smpp-sink.ts', import.meta.url));
const [port] = (await once(sink, 'message')) as [number];
await runOurs(port, Math.min(ours, 300_000)); // warm-up of both ends
const mine = await runOurs(port, ours);
await runTheirs(port, Math.min(theirs, 20_000));
const npm = await runTheirs(port, theirs);
sink.disconnect();
const row = (name: string, { perSecond, cpuMicros }: Result): string =>
  `${name.padEnd(12)} ${Math.round(perSecond).toLocaleString('en').padStart(12)} submit_sm/s  ${cpuMicros.toFixed(2)} µs CPU a message`;
console.log(`window ${window}, one connection, Node ${process.version}`);
console.log(row('smsbatch', mine));
console.log(row('npm smpp', npm));
console.log(`${(mine.perSecond / npm.perSecond).toFixed(1)} times`);
