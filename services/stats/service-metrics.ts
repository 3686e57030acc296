import type { Registry } from 'prom-client';
import { phaseName } from '../../contracts/states.ts';
import type { ServiceMetrics } from '../../contracts/stats-api.ts';
import { STREAMS } from '../../contracts/subjects.ts';
import { withTimeout } from '../../lib/lifecycle/deadline.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import type { RedisView } from '../../lib/redis/connect.ts';
import type { Store } from '../../lib/store/collections.ts';
import { batchesAtWork } from '../../lib/tasks/tasks-out.ts';

export interface MetricsDeps {
  nats: Nats;
  redis: RedisView;
  store: Store;
  registry: Registry;
}

const SERVER_MS = 2_000;

/** GetServiceMetrics: health of the servers, batches by state, what waits in the streams, this process's counters. */
export async function serviceMetrics(deps: MetricsDeps): Promise<ServiceMetrics> {
  const { nats, redis, store, registry } = deps;
  const [natsServer, mongodb, redisServer, batches, tasksOut, jetStream, counters] = await Promise.all([
    roundTrip(() => nats.nc.rtt()),
    roundTrip(() => store.db.command({ ping: 1 })),
    roundTrip(() => redis.redis.ping()),
    batchesByState(store).catch(() => ({})),
    countTasksOut(store).catch(() => 0),
    jetStreamLoad(nats).catch(() => ({ consumers: {}, streams: {} })),
    countersOf(registry),
  ]);
  return {
    asOf: new Date().toISOString(),
    batches,
    tasksOut,
    servers: { nats: natsServer, mongodb, redis: redisServer },
    ...jetStream,
    counters,
  };
}

/** At most this many batches at work are looked at. */
const MAX_BATCHES = 1_000;

async function countTasksOut(store: MetricsDeps['store']): Promise<number> {
  return (await batchesAtWork(store, MAX_BATCHES)).reduce(
    (sum, { work }) => sum + (work?.out.length ?? 0),
    0,
  );
}

async function roundTrip(ask: () => Promise<unknown>): Promise<{ ok: boolean; roundTripMs?: number }> {
  const startedAt = performance.now();
  try {
    await withTimeout(ask(), SERVER_MS, 'a look at a server');
    return { ok: true, roundTripMs: Math.round((performance.now() - startedAt) * 100) / 100 };
  } catch {
    return { ok: false };
  }
}

async function batchesByState({ batches }: Store): Promise<Record<string, number>> {
  const rows = await batches
    .aggregate<{ _id: { phase: string | null; status: string }; batches: number }>([
      { $match: { deletedAt: { $exists: false } } },
      { $group: { _id: { phase: '$state.phase', status: '$state.status' }, batches: { $sum: 1 } } },
    ])
    .toArray();
  return Object.fromEntries(
    rows.map(({ _id: { phase, status }, batches: n }) => [
      phase === null ? status : `${phaseName(phase)}${status}`,
      n,
    ]),
  );
}

async function jetStreamLoad({ jsm }: Nats): Promise<Pick<ServiceMetrics, 'consumers' | 'streams'>> {
  const consumers: ServiceMetrics['consumers'] = {};
  const streams: ServiceMetrics['streams'] = {};
  for (const stream of Object.values(STREAMS)) {
    const info = await jsm.streams.info(stream).catch(() => undefined);
    if (!info) continue;
    streams[stream] = { messages: info.state.messages, bytes: info.state.bytes };
    for await (const consumer of jsm.consumers.list(stream)) {
      consumers[`${stream}/${consumer.name}`] = {
        waiting: consumer.num_pending,
        unacknowledged: consumer.num_ack_pending,
        redelivered: consumer.num_redelivered,
      };
    }
  }
  return { consumers, streams };
}

async function countersOf(registry: Registry): Promise<Record<string, number>> {
  const counters: Record<string, number> = {};
  for (const metric of await registry.getMetricsAsJSON()) {
    if (!metric.name.startsWith('smsbatch_') || !['counter', 'gauge'].includes(String(metric.type))) continue;
    for (const { labels, value } of metric.values) {
      const own = Object.entries(labels).filter(([name]) => !DEFAULT_LABELS.has(name));
      const shown = own.map(([name, label]) => `${name}=${label}`).join(',');
      counters[shown === '' ? metric.name : `${metric.name}{${shown}}`] = value;
    }
  }
  return counters;
}

/** The same on every counter of a process. */
const DEFAULT_LABELS = new Set(['service', 'version']);
