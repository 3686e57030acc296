/**
 * Messages a second through the delivery step with its journal, against npm smpp's bare loop and our own bare session,
 * over one bind of window 100, on servers and a simulator of their own; CPU a message of every process.
 * Usage: npx tsx test/bench/delivery.ts [messages] [rounds] [latency ms] [tasks at once]
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { createInterface } from 'node:readline';
import smpp from 'smpp';
import { SmppSession } from '../../lib/smpp/session.ts';
import type { OutboundMessage } from '../../lib/smpp/submit-sm.ts';
import { startServers } from '../../scripts/servers/start-servers.ts';
import { deliveryHost } from '../services/steps/delivery/fixtures/delivery-host.ts';
import { preparedBatch } from '../services/steps/delivery/fixtures/prepared-batch.ts';

const [messages = 200_000, rounds = 3, latencyMs = 0, tasksAtOnce = 1] = process.argv.slice(2).map(Number);
const only = process.env.BENCH_ONLY?.split(',');
const WINDOW = 100;
const CHUNK = 500;
/** 81 characters of GSM 03.38. */
const text = (n: number): string =>
  `Dear customer, your parcel ${String(n % 10_000).padStart(4, '0')} arrives on Thursday between 10:00 and 12:00. Bye`;

interface Run {
  seconds: number;
  before: Record<string, number>;
  after: Record<string, number>;
}

interface Measured {
  perSecond: number;
  /** µs a message by process. */
  cpu: Record<string, number>;
}

await using servers = await startServers({ label: 'bench-delivery' });
const simulator = await startSimulatorProcess();
const pids = Object.fromEntries([
  ...servers.started.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid]])),
  ['simulator', simulator.pid],
]) as Record<string, number>;
const results = new Map<string, Measured[]>();

const variants: [name: string, count: number, run: (count: number, round: number) => Promise<Run>][] = [
  ['npm smpp, bare loop', Math.ceil(messages / 4), (count) => npmLoop(count, 0)],
  ['our session, bare loop', messages, (count) => bareLoop(count)],
  ['delivery step', messages, (count, round) => deliver(count, round, false)],
  ['npm smpp, receipts', Math.ceil(messages / 8), (count) => npmLoop(count, 1)],
  ['delivery step, receipts', messages, (count, round) => deliver(count, round, true)],
];

for (let round = 0; round < rounds; round++) {
  for (const [name, count, run] of variants) {
    if (only && !only.some((each) => name.includes(each))) continue;
    const { seconds, before, after } = await run(count, round);
    const cpu = Object.fromEntries(
      Object.keys(after).map((each) => [each, ((after[each]! - before[each]!) * 1e6) / count]),
    );
    results.set(name, [...(results.get(name) ?? []), { perSecond: count / seconds, cpu }]);
    report(name, results.get(name)!.at(-1)!);
  }
}
console.log('\nmedians');
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const baseline = median((results.get('npm smpp, bare loop') ?? []).map((each) => each.perSecond));
for (const [name, measured] of results) {
  const perSecond = median(measured.map((each) => each.perSecond));
  const cpu = Object.fromEntries(
    Object.keys(measured[0]!.cpu).map((each) => [each, median(measured.map((one) => one.cpu[each]!))]),
  );
  report(`${name} (${(perSecond / baseline).toFixed(2)} × npm smpp)`, { perSecond, cpu });
}
await simulator.stop();

function report(name: string, { perSecond, cpu }: Measured): void {
  const parts = Object.entries(cpu).map(([each, micros]) => `${each} ${micros.toFixed(1)}`);
  const all = Object.values(cpu).reduce((sum, each) => sum + each, 0);
  console.log(
    `${name.padEnd(46)} ${Math.round(perSecond).toLocaleString('en').padStart(9)}/s   CPU µs ${all.toFixed(1)} (${parts.join(', ')})`,
  );
}

/** The work itself, without what was set up for it. */
async function timed(work: () => Promise<unknown>): Promise<Run> {
  const before = cpuSeconds();
  const begun = performance.now();
  await work();
  return { seconds: (performance.now() - begun) / 1000, before, after: cpuSeconds() };
}

/** user + system, from /proc: of this process and of those that work for it. */
function cpuSeconds(): Record<string, number> {
  const own = process.cpuUsage();
  const others = Object.entries(pids).map(([name, pid]) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return [name, (Number(fields[11]) + Number(fields[12])) / 100] as const;
  });
  return { node: (own.user + own.system) / 1e6, ...Object.fromEntries(others) };
}

async function deliver(count: number, round: number, receipts: boolean): Promise<Run> {
  const points = new Map<string, number>();
  const host = await deliveryHost({
    faults: (point) => void points.set(point, (points.get(point) ?? 0) + 1),
    urls: servers,
    smppPort: simulator.smppPort,
    account: { receipts, window: WINDOW },
  });
  try {
    await host.providers.get('sim')!.intake.flush();
    const batchId = `bench${round}${receipts ? 'r' : ''}`;
    await preparedBatch(host.store, {
      batchId,
      chunks: Math.ceil(count / CHUNK),
      chunkSize: CHUNK,
      tasks: tasksAtOnce,
      text: (index, position) => text(index * CHUNK + position),
      phone: (index, position) => String(447_700_000_000 + index * CHUNK + position),
    });
    while (host.providers.get('sim')!.provider.trouble() !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const stopProfile = await profile(batchId);
    let ends: Awaited<ReturnType<typeof host.deliver>>[] = [];
    const run = await timed(async () => {
      ends = await Promise.all(Array.from({ length: tasksAtOnce }, (_, n) => host.deliver(batchId, n)));
    });
    await stopProfile();
    if (process.env.BENCH_POINTS) console.log(Object.fromEntries(points));
    for (const end of ends) if (end?.kind !== 'done') throw new Error(`ended ${end?.kind}`);
    return run;
  } finally {
    await host.stop();
  }
}

/** BENCH_PROFILE=folder keeps a CPU profile of the sending alone. */
async function profile(name: string): Promise<() => Promise<void>> {
  const folder = process.env.BENCH_PROFILE;
  if (!folder) return async () => {};
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  return async () => {
    const { profile: taken } = await session.post('Profiler.stop');
    writeFileSync(`${folder}/${name}.cpuprofile`, JSON.stringify(taken));
    session.disconnect();
  };
}

async function bareLoop(count: number): Promise<Run> {
  let answered = 0;
  let next = 0;
  let finished = (): void => {};
  const bytes = Buffer.alloc(200);
  const message: OutboundMessage = {
    source: { ton: 5, npi: 0, addr: 'smsbatch' },
    destination: '',
    esmClass: 0,
    dataCoding: 0,
    registeredDelivery: 0,
    shortMessage: bytes,
  };
  const pump = (): void => {
    while (session.room > 0 && next < count) {
      message.destination = String(447_700_000_000 + next);
      message.shortMessageEnd = bytes.write(text(next), 0, 'latin1');
      session.submit(message, next++);
    }
  };
  const session = new SmppSession<number>(
    { host: '127.0.0.1', port: simulator.smppPort, systemId: 'bench', password: '', window: WINDOW },
    {
      onAnswer: () => {
        if (++answered === count) finished();
      },
      onRoom: pump,
    },
  );
  session.start();
  await session.whenBound(5_000);
  const run = await timed(
    () =>
      new Promise<void>((resolve) => {
        finished = resolve;
        pump();
      }),
  );
  await session.stop();
  return run;
}

async function npmLoop(count: number, registeredDelivery: number): Promise<Run> {
  const session = await new Promise<smpp.Session>((resolve, reject) => {
    const connecting = smpp.connect({ host: '127.0.0.1', port: simulator.smppPort }, () => {
      // Without it receipts cost it another five sixths of its rate.
      connecting.socket.setNoDelay(true);
      connecting.bind_transceiver({ system_id: 'bench', password: '' }, () => resolve(connecting));
    });
    connecting.on('error', reject);
  });
  session.on('deliver_sm', (pdu) => session.send(pdu.response()));
  let next = 0;
  let answered = 0;
  const run = await timed(
    () =>
      new Promise<void>((resolve) => {
        const one = (): void => {
          const n = next++;
          const message = {
            source_addr: 'smsbatch',
            source_addr_ton: 5,
            dest_addr_ton: 1,
            dest_addr_npi: 1,
            destination_addr: String(447_700_000_000 + n),
            data_coding: 0,
            registered_delivery: registeredDelivery,
            short_message: text(n),
          };
          session.submit_sm(message, () => {
            if (++answered === count) resolve();
            else if (next < count) one();
          });
        };
        for (let i = 0; i < WINDOW; i++) one();
      }),
  );
  session.unbind({}, () => session.close());
  return run;
}

async function startSimulatorProcess() {
  const main = new URL('../../services/smsc-simulator/main.ts', import.meta.url).pathname;
  const flags = [
    '--smpp-port',
    '0',
    '--http-port',
    '0',
    '--ledger',
    'counts',
    '--latency-ms',
    String(latencyMs),
  ];
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
  const { smppPort } = JSON.parse(line) as { smppPort: number };
  return {
    smppPort,
    pid: child.pid!,
    stop: () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      return gone;
    },
  };
}
