import type { Announce } from './announce.ts';
import type { ServerCommand } from './server-process.ts';

export type ServerName = 'nats' | 'mongo' | 'redis';

/** What is asked of a nats-server beyond the file that ships. */
export interface NatsSettings {
  /** JetStream's `max_file_store`: a publish that would not fit is refused. */
  maxFileStoreBytes?: number;
  /** Makes it one of a cluster. */
  member?: NatsMember;
}

export interface NatsMember {
  /** Its server name, different from the others'. */
  name: string;
  clusterPort: number;
  /** The cluster ports of all members. */
  routePorts: readonly number[];
}

/** Where a server's program comes from, and how it is started. */
export interface ServerRecipe {
  /** `nats-server 2.15.1` */
  title: string;
  origin: 'path' | 'private copy';
  portsNeeded: number;
  command: (place: { ports: readonly number[]; dir: string; nats?: NatsSettings }) => Promise<ServerCommand>;
}

export interface ServerKind {
  name: ServerName;
  /** The variable whose URL is used in place of a server of our own. */
  variable: 'NATS_URL' | 'MONGODB_URL' | 'REDIS_ADDR';
  find: (announce: Announce) => Promise<ServerRecipe>;
}
