import { setTimeout as delay } from 'node:timers/promises';
import type { OneServer } from './one-server.ts';

const answerWithinMs = 1_000;
const pollMs = 100;

/** One nats-server of a cluster. */
export interface NatsNode {
  /** Its server name: `nats-1`. */
  readonly name: string;
  readonly url: string;
  readonly monitorUrl: string;
  readonly dataDir: string;
  /** null while it does not run. */
  readonly pid: number | null;
  /** Sends a signal (default SIGKILL) and resolves when the server is gone. SIGTERM and SIGUSR2 (lame duck) are a planned stop. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Kills it if it still runs and starts it on the same ports and data; resolves when it answers clients. */
  restart(): Promise<void>;
}

export interface NatsCluster {
  readonly nodes: readonly NatsNode[];
  /** Of a stream of the default account; null while it has no leader, or nobody knows it. */
  leaderOf(stream: string): Promise<NatsNode | null>;
  /** Of the group that places streams and consumers. */
  metaLeader(): Promise<NatsNode | null>;
  /** Waits until every node says that it has all that the others have. @throws after `withinMs` */
  healthy(withinMs?: number): Promise<void>;
}

interface GroupInfo {
  leader?: string;
}
interface JetStreamInfo {
  meta_cluster?: GroupInfo;
  account_details?: { stream_detail?: { name: string; cluster?: GroupInfo }[] }[];
}

export function natsCluster(servers: readonly OneServer[]): NatsCluster {
  if (servers.length < 2 || servers.some((server) => !server.process))
    throw new Error('NATS is no cluster of ours: startServers({ natsNodes: 3 }) starts one');
  const nodes = servers.map(nodeOf);

  async function ask(node: NatsNode, path: string): Promise<Response | null> {
    if (node.pid === null) return null;
    const signal = AbortSignal.timeout(answerWithinMs);
    // A frozen one does not answer, a killed one has just gone.
    return fetch(`${node.monitorUrl}${path}`, { signal }).catch(() => null);
  }

  /** Whom a majority of the cluster takes for the leader: one that was thawed takes itself for it until it hears. */
  async function leader(path: string, read: (info: JetStreamInfo) => GroupInfo | undefined) {
    const votes = await Promise.all(
      nodes.map(async (node) => {
        const info = await (await ask(node, path))?.json().catch(() => null);
        return info && read(info as JetStreamInfo)?.leader;
      }),
    );
    const isElected = ({ name, pid }: NatsNode) =>
      pid !== null && votes.filter((vote) => vote === name).length > nodes.length / 2;
    return nodes.find(isElected) ?? null;
  }

  return {
    nodes,
    leaderOf: (stream) =>
      leader('/jsz?streams=true', ({ account_details = [] }) => {
        const streams = account_details.flatMap(({ stream_detail = [] }) => stream_detail);
        return streams.find(({ name }) => name === stream)?.cluster;
      }),
    metaLeader: () => leader('/jsz', ({ meta_cluster }) => meta_cluster),
    async healthy(withinMs = 30_000) {
      const deadline = performance.now() + withinMs;
      for (;;) {
        const answers = await Promise.all(
          nodes.map(async (node) => [node.name, (await ask(node, '/healthz'))?.status ?? null] as const),
        );
        const sick = answers.filter(([, status]) => status !== 200);
        if (sick.length === 0) return;
        if (performance.now() > deadline)
          throw new Error(`not healthy within ${withinMs} ms (its /healthz): ${JSON.stringify(sick)}`);
        await delay(pollMs);
      }
    },
  };
}

function nodeOf({ url, monitorUrl, dataDir, process: server }: OneServer, index: number): NatsNode {
  const own = server!;
  return {
    name: `nats-${index + 1}`,
    url,
    monitorUrl: monitorUrl!,
    dataDir: dataDir!,
    get pid() {
      return own.pid;
    },
    kill: (signal = 'SIGKILL') => own.kill(signal),
    freeze: () => own.kill('SIGSTOP'),
    thaw: () => own.kill('SIGCONT'),
    restart: () => own.restart(),
  };
}
