import { connect } from '@nats-io/transport-node';
import type { BatchView } from '../../contracts/batch-api.ts';
import type { ScheduleView } from '../../contracts/schedule-api.ts';
import { FINAL_STATUSES } from '../../contracts/states.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { parseNatsUrl } from '../../lib/nats/address.ts';
import { ApiError, callApi } from '../engine/api.ts';
import type { CleanUp } from '../engine/clean-up.ts';
import { startEngine } from '../engine/engine.ts';
import { startSimulator } from '../engine/simulator.ts';
import { startServers } from '../servers/start-servers.ts';

export interface ScheduledResult {
  ok: boolean;
  /** Due times from the first run to the last. */
  runs: number;
  /** Runs whose people got their text more than once. */
  firedTwice: number;
  /** Runs whose people got no text. */
  missed: number;
  /** Due times at which no scheduler was up. */
  whileDown: number;
  schedule: string;
}

const EVERY_MS = 10_000;
const RUNS = 5;
const PEOPLE = 20;
const ID = 'campaign';
const PATIENCE_MS = 300_000;

const phoneOf = (n: number): string => `4479111${String(n).padStart(5, '0')}`;

/**
 * A campaign every ten seconds from a template; the scheduler is killed across a due time. What each run did is read from
 * the carrier's ledger: its text names its due time.
 */
export async function scheduledDemo(
  stack: CleanUp,
  say: (line: string) => void,
  natsNodes: number,
): Promise<{ result: ScheduledResult; natsUrl: string }> {
  say('smsbatch demo: a campaign every ten seconds; the scheduler is killed across a due time.');
  const servers = stack.use(await startServers({ label: 'demo', natsNodes }));
  const simulator = stack.use(await startSimulator(servers.logDir, {}));
  const engine = { servers, providers: [simulator.account()] };
  const start = (name: string, components: readonly string[]) => startEngine(name, components, engine);
  const [host, worker, first] = await Promise.all([
    start('host', ['batch', 'tables', 'receipts', 'stats', 'watcher']),
    start('worker', ['steps']),
    start('scheduler', ['scheduler']),
  ]);
  let scheduler = first;
  stack.defer(() => Promise.all([host.stop(), worker.stop(), scheduler.stop()]));
  const nc = await connect({ servers: parseNatsUrl(servers.natsUrl).servers });
  stack.defer(() => nc.close());
  const get = () => callApi<ScheduleView>(nc, 'schedule', 'get', { id: ID });

  const template = {
    name: 'Campaign of ${time}',
    content: 'Due ${time}',
    providers: ['simulator'],
    sender: 'smsbatch',
    recipients: Array.from({ length: PEOPLE }, (_, n) => ({ phone: `+${phoneOf(n)}` })),
  };
  const made = await callApi<ScheduleView>(nc, 'schedule', 'create', {
    id: ID,
    schedule: {
      cron: `*/${EVERY_MS / 1000} * * * * *`,
      timeZone: 'UTC',
      overlap: 'allow',
      catchUp: 'all',
      maxRuns: RUNS,
      target: { kind: 'batch.template', template },
    },
  });
  const dues = made.next.map(({ dueAt }) => dueAt);
  say(`Schedule ${ID}: its ${RUNS} runs are due at ${dues.map((due) => due.slice(11, 19)).join(', ')}`);

  // Killed a second before the second run, started again two seconds after it.
  const downMs = Date.parse(dues[1]!);
  await sleep(downMs - 1_000 - Date.now());
  scheduler.kill('SIGKILL');
  const downFromMs = Date.now();
  await scheduler.exited;
  say('The scheduler is killed (SIGKILL); the timer is the broker’s, and fires without it.');
  await sleep(downMs + 2_000 - Date.now());
  scheduler = await start('scheduler-again', ['scheduler']);
  const downToMs = Date.now();
  say('The scheduler is started again.');

  const until = Date.now() + PATIENCE_MS;
  for (let shown = 0; ; ) {
    const { runs, state } = await get();
    for (const { dueAt, batchId } of [...runs].reverse().slice(shown))
      say(`  ${dueAt.slice(11, 19)} → ${batchId}`);
    shown = runs.length;
    if (state === 'done' && (await allEnded(nc, runs))) break;
    if (Date.now() > until) throw new Error('the runs did not come to their end');
    await sleep(500);
  }

  const received = new Map<string, number>();
  for await (const { msisdn, text, commandStatus } of simulator.ledger()) {
    if (commandStatus !== 0) continue;
    const key = `${text} ${msisdn}`;
    received.set(key, (received.get(key) ?? 0) + 1);
  }
  const timesOf = (due: string): number[] => {
    const text = `Due ${due.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
    return Array.from({ length: PEOPLE }, (_, n) => received.get(`${text} ${phoneOf(n)}`) ?? 0);
  };
  const firedTwice = dues.filter((due) => timesOf(due).some((times) => times > 1)).length;
  const missed = dues.filter((due) => timesOf(due).some((times) => times === 0)).length;
  const unexpected = received.size - RUNS * PEOPLE;
  const result: ScheduledResult = {
    ok: firedTwice + missed === 0 && unexpected === 0 && dues.length === RUNS,
    runs: dues.length,
    firedTwice,
    missed,
    whileDown: dues.filter((due) => Date.parse(due) > downFromMs && Date.parse(due) < downToMs).length,
    schedule: ID,
  };
  say(
    `\n${result.runs} runs, by the carrier’s ledger: fired twice ${firedTwice}, missed ${missed}` +
      ` (due while no scheduler was up: ${result.whileDown})\n`,
  );
  return { result, natsUrl: servers.natsUrl };
}

async function allEnded(nc: Parameters<typeof callApi>[0], runs: ScheduleView['runs']): Promise<boolean> {
  for (const { batchId } of runs) {
    if (batchId === undefined) return false;
    try {
      const { status } = await callApi<BatchView>(nc, 'batch', 'get', { id: batchId, history: false });
      if (!(FINAL_STATUSES as readonly string[]).includes(status)) return false;
    } catch (error) {
      if (error instanceof ApiError && error.body.code === 'not-found') return false;
      throw error;
    }
  }
  return true;
}
