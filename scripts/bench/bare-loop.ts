/**
 * A contestant as a process of its own: one bind, a window, as many submit_sm as asked for.
 * `bare-loop.ts <npm|own> <port> <messages> <window>`; prints one JSON line {messages, seconds}, then waits for SIGTERM
 * so that its CPU time can be read.
 */
import { once } from 'node:events';
import smpp from 'smpp';
import { SmppSession } from '../../lib/smpp/session.ts';
import { encodeGsm7Into } from '../../lib/sms/gsm0338.ts';
import { numberOf, SENDER, textOf } from './message.ts';
import { cpuMeter } from './usage.ts';

const [kind, port = 0, messages = 0, window = 0] = [
  process.argv[2],
  ...process.argv.slice(3).map(Number),
] as [string, number, number, number];

/** CPU time of the loop alone: loading the program is not what is compared. */
let cpu = (): number => 0;

/** npm smpp as its users write it, but with TCP_NODELAY, without which it is slower still. */
async function runNpm(): Promise<number> {
  const session = smpp.connect({ host: '127.0.0.1', port });
  await once(session, 'connect');
  session.socket.setNoDelay(true);
  await new Promise<void>((resolve) => {
    session.bind_transceiver({ system_id: 'bench', password: 'bench' }, () => resolve());
  });
  cpu = cpuMeter();
  const from = performance.now();
  await new Promise<void>((resolve) => {
    let next = 0;
    let answered = 0;
    const send = (): void => {
      const n = next++;
      session.submit_sm(
        {
          source_addr_ton: 5,
          source_addr: SENDER,
          dest_addr_ton: 1,
          dest_addr_npi: 1,
          destination_addr: numberOf(n),
          data_coding: 0,
          short_message: textOf(n),
        },
        () => {
          if (++answered === messages) resolve();
          else if (next < messages) send();
        },
      );
    };
    while (next < Math.min(window, messages)) send();
  });
  const seconds = (performance.now() - from) / 1000;
  session.destroy();
  return seconds;
}

/** Our own codec and session, without journal, rendering or rates. */
async function runOwn(): Promise<number> {
  const message = {
    source: { ton: 5, npi: 0, addr: SENDER },
    destination: '',
    esmClass: 0,
    dataCoding: 0,
    registeredDelivery: 0,
    shortMessage: new Uint8Array(0),
  };
  const buffer = Buffer.alloc(256);
  let next = 0;
  let answered = 0;
  let finished = (): void => {};
  const pump = (): void => {
    while (session.room > 0 && next < messages) {
      const n = next++;
      message.destination = numberOf(n);
      message.shortMessage = buffer.subarray(0, encodeGsm7Into(textOf(n), buffer, 0));
      session.submit(message, n, performance.now() + 400);
    }
  };
  const session = new SmppSession<number>(
    { host: '127.0.0.1', port, window, systemId: 'bench', password: 'bench' },
    {
      onAnswer: () => {
        if (++answered === messages) finished();
      },
      onRoom: pump,
    },
  );
  session.start();
  await session.whenBound(5_000);
  cpu = cpuMeter();
  const from = performance.now();
  await new Promise<void>((resolve) => {
    finished = resolve;
    pump();
  });
  const seconds = (performance.now() - from) / 1000;
  await session.stop();
  return seconds;
}

const seconds = await (kind === 'npm' ? runNpm() : runOwn());
console.log(JSON.stringify({ result: true, messages, seconds, cpuSeconds: cpu() }));
process.once('SIGTERM', () => process.exit(0));
setInterval(() => {}, 60_000);
