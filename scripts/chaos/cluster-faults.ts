import { STREAMS } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import type { NatsNode } from '../servers/nats-cluster.ts';
import type { FaultContext, Outcome } from './fault.ts';
import { holding } from './holding.ts';
import { between, oneOf } from './plan.ts';

const DOWN_MS = { from: 500, to: 8_000 };
const FROZEN_MS = { from: 6_000, to: 9_000 };
const HEALTHY_MS = 60_000;
const LED = [STREAMS.commands, STREAMS.steps, STREAMS.events, STREAMS.receipts, null] as const;

type Fault = (context: FaultContext, dice: readonly number[]) => Promise<Outcome | undefined>;

async function lostFor(node: NatsNode, ms: number): Promise<void> {
  await node.kill();
  await sleep(ms);
  await node.restart();
}

/** What can happen to three nats-servers; afterwards they are whole again. */
export const clusterFaults: Record<'leader' | 'followers' | 'quorum' | 'rolling', Fault> = {
  leader: ({ world, busy }, [whose = 0, how = 0, ms = 0]) =>
    holding(busy, ['nats'], async () => {
      const { natsCluster: cluster } = world.servers;
      const stream = oneOf(LED, whose)!;
      const leader = await (stream === null ? cluster.metaLeader() : cluster.leaderOf(stream));
      if (!leader) return { what: 'no leader to be struck', targets: [] };
      const freezes = how < 0.4;
      if (freezes) {
        await leader.freeze();
        await sleep(between(FROZEN_MS, ms));
        await leader.thaw();
      } else await lostFor(leader, between(DOWN_MS, ms));
      await cluster.healthy(HEALTHY_MS);
      return {
        what: `${freezes ? 'freeze' : 'kill -9'} ${leader.name}, leader of ${stream ?? 'the cluster'}`,
        targets: [],
      };
    }),
  followers: ({ world, busy }, [who = 0, ms = 0]) =>
    holding(busy, ['nats'], async () => {
      const { natsCluster: cluster } = world.servers;
      const leader = await cluster.metaLeader();
      const follower = oneOf(
        cluster.nodes.filter((node) => node !== leader),
        who,
      )!;
      await lostFor(follower, between(DOWN_MS, ms));
      await cluster.healthy(HEALTHY_MS);
      return { what: `kill -9 ${follower.name}`, targets: [] };
    }),
  quorum: ({ world, busy }, [who = 0, ms = 0]) =>
    holding(busy, ['nats'], async () => {
      const { natsCluster: cluster } = world.servers;
      const left = oneOf(cluster.nodes, who)!;
      const lost = cluster.nodes.filter((node) => node !== left);
      await Promise.all(lost.map((node) => lostFor(node, between(DOWN_MS, ms))));
      await cluster.healthy(HEALTHY_MS);
      return { what: `kill -9 ${lost.map(({ name }) => name).join(', ')}: no quorum`, targets: [] };
    }),
  rolling: ({ world, busy }) =>
    holding(busy, ['nats'], async () => {
      const { natsCluster: cluster } = world.servers;
      for (const node of cluster.nodes) {
        await node.kill('SIGTERM');
        await node.restart();
        await cluster.healthy(HEALTHY_MS);
      }
      return { what: 'planned restart of the cluster', targets: [] };
    }),
};
