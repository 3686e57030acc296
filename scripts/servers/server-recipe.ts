import type { Announce } from './announce.ts';
import type { ServerCommand } from './server-process.ts';

export type ServerName = 'nats' | 'mongo' | 'redis';

/** Where a server's program comes from, and how it is started. */
export interface ServerRecipe {
  /** `nats-server 2.15.1` */
  title: string;
  origin: 'path' | 'private copy';
  portsNeeded: number;
  command: (place: { ports: readonly number[]; dir: string }) => Promise<ServerCommand>;
}

export interface ServerKind {
  name: ServerName;
  /** The variable whose URL is used in place of a server of our own. */
  variable: 'NATS_URL' | 'MONGODB_URL' | 'REDIS_ADDR';
  find: (announce: Announce) => Promise<ServerRecipe>;
}
