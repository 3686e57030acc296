/**
 * submit_sm per second that the simulator takes, in a process of its own, from one session of ours.
 * `npx tsx test/bench/smsc-simulator.ts [window] [messages]`
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { SmppSession } from '../../lib/smpp/session.ts';
import type { OutboundMessage } from '../../lib/smpp/submit-sm.ts';

const [window = 1000, count = 2_000_000] = process.argv.slice(2).map(Number);
const text = Buffer.from('Dear customer, your parcel 4711 arrives on Thursday between 10:00 and 12:00. Bye!');

async function run(
  name: string,
  flags: string[],
  registeredDelivery: number,
  messages: number,
): Promise<void> {
  const main = new URL('../../services/smsc-simulator/main.ts', import.meta.url).pathname;
  const args = ['--import', 'tsx', main, '--smpp-port', '0', '--http-port', '0', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await new Promise<string[]>((resolve) =>
    createInterface(child.stdout).once('line', (l) => resolve([l])),
  );
  const { smppPort, httpPort } = JSON.parse(line!) as { smppPort: number; httpPort: number };
  let answered = 0;
  let receipts = 0;
  let next = 0;
  let finished = (): void => {};
  const message: OutboundMessage = {
    source: { ton: 5, npi: 0, addr: 'Parcels' },
    destination: '',
    esmClass: 0,
    dataCoding: 0,
    registeredDelivery,
    shortMessage: text,
  };
  const pump = (): void => {
    while (session.room > 0 && next < messages) {
      message.destination = String(491700000000 + next++);
      session.submit(message, next);
    }
  };
  const check = (): void => {
    if (answered === messages && (registeredDelivery === 0 || receipts === messages)) finished();
  };
  const session = new SmppSession<number>(
    { host: '127.0.0.1', port: smppPort, systemId: 'bench', password: '', window },
    {
      onAnswer: () => {
        answered += 1;
        check();
      },
      onDeliver: (_deliver, respond) => {
        receipts += 1;
        respond(0);
        check();
      },
      onRoom: pump,
    },
  );
  session.start();
  await session.whenBound(5000);
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    finished = resolve;
    pump();
  });
  const perSecond = messages / ((performance.now() - startMs) / 1000);
  const askedMs = performance.now();
  const summary = (await (await fetch(`http://127.0.0.1:${httpPort}/summary`)).json()) as {
    messages: number;
    doubled: number;
  };
  const summaryMs = performance.now() - askedMs;
  await session.stop();
  child.kill();
  console.log(
    `${name.padEnd(28)} ${Math.round(perSecond).toLocaleString('en').padStart(10)} submit_sm/s; ` +
      `${summary.messages} messages, ${summary.doubled} doubled, summary in ${summaryMs.toFixed(0)} ms`,
  );
}

await run('ledger counts', ['--ledger', 'counts'], 0, count);
await run('ledger full', [], 0, count);
await run('ledger full, receipts', [], 1, count / 5);
