import { sleep } from '../../lib/lifecycle/sleep.ts';
import { clusterFaults } from './cluster-faults.ts';
import { CRASH_POINTS, type CrashPoint } from './crash-points.ts';
import type { FaultContext, FaultDone, Outcome } from './fault.ts';
import type { FaultKind } from './fault-kinds.ts';
import { fillStore } from './fill-store.ts';
import { holding } from './holding.ts';
import { between, oneOf, type PlannedFault } from './plan.ts';
import { isWorker, PLAIN_CARRIER, PROCESS_NAMES } from './world.ts';

/** Longer than ack_wait (5 s). */
const FROZEN_MS = { from: 6_000, to: 9_000 };
const DOWN_MS = { from: 200, to: 3_000 };
const SERVER_DOWN_MS = { from: 100, to: 4_000 };
const LINK_MS = { from: 1_000, to: 7_000 };
const CARRIER_MS = { from: 2_000, to: 6_000 };
/** A turn gives MongoDB 4 s. */
const SLOW_MONGO_MS = 4_500;
const SLOW_MONGO_FOR_MS = 7_000;

/** Does it, undoes it, and tells what it was; undefined where its target is in the hands of another fault. */
export async function makeFault(context: FaultContext, fault: PlannedFault): Promise<FaultDone | undefined> {
  const fromMs = Date.now();
  const outcome = await FAULTS[fault.kind](context, fault.dice);
  return outcome && { kind: fault.kind, fromMs, toMs: Date.now(), ...outcome };
}

const FAULTS: Record<
  FaultKind,
  (context: FaultContext, dice: readonly number[]) => Promise<Outcome | undefined>
> = {
  async kill({ world, busy }, [how = 0, who = 0, other = 0, down = 0]) {
    const first = oneOf(PROCESS_NAMES, who)!;
    const second = oneOf(
      PROCESS_NAMES.filter((name) => name !== first),
      other,
    )!;
    const wanted = how < 0.6 ? [first] : how < 0.85 ? [first, second] : PROCESS_NAMES;
    const targets = wanted.filter((name) => !busy.has(name));
    if (targets.length === 0) return undefined;
    return holding(busy, targets, async () => {
      await Promise.all(targets.map((name) => world.restart(name, 'SIGKILL', between(DOWN_MS, down))));
      return { what: `kill -9 ${targets.join(', ')}`, targets };
    });
  },
  async point({ world, busy }, [who = 0, where = 0, how = 0, nth = 0]) {
    const name = oneOf(PROCESS_NAMES, who)!;
    return holding(busy, [name], async () => {
      const points = CRASH_POINTS[isWorker(name) ? 'steps' : 'batch'];
      const action = how < 0.5 ? 'kill' : 'freeze';
      const strike = {
        point: oneOf<CrashPoint>(points, where)!,
        action,
        nth: 1 + Math.floor(20 * nth),
      } as const;
      const struck = await world.strike(name, strike);
      return struck
        ? { what: `${name}: ${action} at "${strike.point}"`, targets: [name], action }
        : undefined;
    });
  },
  async stop({ world, busy }, [who = 0, down = 0]) {
    const name = oneOf(PROCESS_NAMES, who)!;
    return holding(busy, [name], async () => {
      await world.restart(name, 'SIGTERM', between(DOWN_MS, down) / 4);
      return { what: `SIGTERM ${name}`, targets: [name] };
    });
  },
  async freeze({ world, busy }, [who = 0, ms = 0]) {
    const name = oneOf(PROCESS_NAMES, who)!;
    return holding(busy, [name], async () => {
      const child = world.process(name);
      child?.kill('SIGSTOP');
      await sleep(between(FROZEN_MS, ms));
      child?.kill('SIGCONT');
      return { what: `freeze ${name}`, targets: [name] };
    });
  },
  nats: ({ world, busy }, [down = 0]) =>
    holding(busy, ['nats'], async () => {
      await world.servers.kill('nats');
      await sleep(between(SERVER_DOWN_MS, down));
      await world.servers.restart('nats');
      return { what: 'nats-server killed and started', targets: [] };
    }),
  mongo: ({ world, busy }, [down = 0]) =>
    holding(busy, ['mongo'], async () => {
      await world.servers.kill('mongo');
      await sleep(between(SERVER_DOWN_MS, down));
      await world.servers.restart('mongo');
      return { what: 'MongoDB killed and started', targets: [] };
    }),
  redis: ({ world, busy, strange }, [how = 0, down = 0]) =>
    holding(busy, ['redis'], async () => {
      if (how < 0.4) {
        await world.servers.kill('redis');
        await sleep(between(SERVER_DOWN_MS, down));
        await world.servers.restart('redis');
        return { what: 'Redis killed and started', targets: [] };
      }
      if (how < 0.7) {
        await strange.flushRedis();
        return { what: 'Redis flushed', targets: [] };
      }
      await world.servers.kill('redis', 'SIGSTOP');
      await sleep(between(SERVER_DOWN_MS, down));
      await world.servers.kill('redis', 'SIGCONT');
      return { what: 'Redis frozen', targets: [] };
    }),
  'slow-mongo': ({ world, busy }) =>
    holding(
      busy,
      PROCESS_NAMES.map((name) => `${name} mongo`),
      async () => {
        for (const name of PROCESS_NAMES)
          world.link(name, 'mongo').set({ kind: 'late', delayMs: SLOW_MONGO_MS / 2 });
        await sleep(SLOW_MONGO_FOR_MS);
        for (const name of PROCESS_NAMES) world.link(name, 'mongo').set({ kind: 'open' });
        return { what: `MongoDB answers after ${SLOW_MONGO_MS} ms`, targets: [] };
      },
    ),
  cut: (context, dice) => onLink(context, dice, 'cut'),
  'half-open': (context, dice) => onLink(context, dice, 'half-open'),
  delay: (context, dice) => onLink(context, dice, 'late'),
  carrier: ({ world, busy }, [which = 0, ms = 0]) =>
    holding(busy, ['carrier'], async () => {
      const [what, change] = oneOf(CARRIER_FAULTS, which)!;
      if (change) await world.simulator.rules(change);
      else await world.simulator.disconnect();
      await sleep(between(CARRIER_MS, ms));
      await world.simulator.rules(PLAIN_CARRIER);
      return { what: `carrier ${what}`, targets: [] };
    }),
  async commands({ strange }, [which = 0, who = 0]) {
    const what = await strange.send(which, who);
    return what === undefined ? undefined : { what, targets: [] };
  },
  disk: ({ world, busy }, [ms = 0]) =>
    holding(busy, ['nats'], async () => {
      const filled = await fillStore(world.servers.natsUrl, between(CARRIER_MS, ms) / 2);
      return { what: `NATS store full (${Math.round(filled / 1_048_576)} MiB more)`, targets: [] };
    }),
  power: ({ world, busy }, [ms = 0]) =>
    holding(busy, ['nats'], async () => {
      const sinceMs = Math.round(between(SERVER_DOWN_MS, ms));
      await world.loseNatsStore(sinceMs);
      return { what: `NATS store put back by ${sinceMs} ms`, targets: [] };
    }),
  wipe: ({ world, busy }) =>
    holding(busy, ['nats'], async () => {
      await world.loseNatsStore(null);
      return { what: 'NATS store lost', targets: [] };
    }),
  ...clusterFaults,
};

async function onLink(
  { world, busy }: FaultContext,
  [who = 0, peer = 0, ms = 0, late = 0]: readonly number[],
  kind: 'cut' | 'half-open' | 'late',
): Promise<Outcome | undefined> {
  const name = oneOf(PROCESS_NAMES, who)!;
  const to = oneOf(world.peersOf(name), peer)!;
  return holding(busy, [`${name} ${to}`], async () => {
    const delayMs = Math.round(50 + 450 * late);
    const link = world.link(name, to);
    link.set(kind === 'late' ? { kind, delayMs } : { kind });
    await sleep(between(LINK_MS, ms));
    link.set({ kind: 'open' });
    return {
      what: `${kind === 'late' ? `${delayMs} ms` : kind} between ${name} and ${to}`,
      targets: to === 'carrier' && kind !== 'late' ? [name] : [],
      ...(to === 'carrier' && kind === 'late' && { carrierLateMs: delayMs }),
    };
  });
}

/** A change of behaviour; null cuts the binds in mid-window. */
const CARRIER_FAULTS: readonly (readonly [string, object | null])[] = [
  ['accepts and does not answer (5 %)', { noAnswerShare: 0.05 }],
  ['answers late (10 %, 4 s)', { lateAnswerShare: 0.1, lateAnswerMs: 4_000 }],
  ['answers twice (30 %)', { doubledAnswerShare: 0.3 }],
  ['throttles', { tpsLimit: 60, tpsBurstMs: 200 }],
  ['drops the binds', null],
  ['drops the binds every 150 messages', { disconnectEvery: 150 }],
  ['sends receipts before its answers', { receipts: { earlyShare: 1 } }],
  ['sends receipts twice', { receipts: { doubledShare: 1 } }],
  ['sends receipts late', { receipts: { delayMs: 20_000, delayJitterMs: 20_000 } }],
  ['sends no receipts', { receipts: { share: 0 } }],
];
