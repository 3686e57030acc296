import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { TObject } from 'typebox';
import type { Env } from '../config/read-config.ts';
import type { Part } from '../lifecycle/part.ts';
import type { Mongo } from '../mongo/connect.ts';
import type { Nats } from '../nats/connect.ts';
import type { RedisView } from '../redis/connect.ts';
import type { StatusDeps } from '../stats/read-status.ts';
import type { Store } from '../store/collections.ts';

/** What the components of one process share. */
export interface Surroundings {
  nats: Nats;
  mongo: Mongo;
  redis: RedisView;
  store: Store;
  status: StatusDeps;
  registry: Registry;
  log: Logger;
  /** Name of this process among the others. */
  hostId: string;
  version: string;
  env: Env;
  mongoUrl: string;
  mongoDatabase: string;
}

/** One service: any set of them runs in one process. */
export interface Component {
  name: string;
  /** What it does, for `npm start -- --help`. */
  summary: string;
  /** Its own variables, beside those of the servers. */
  config?: TObject;
  /** Reads what a schema cannot say, as a list of accounts. @throws ConfigError */
  checkConfig?(env: Env): unknown;
  /** Environment variable that switches it off with `false`. */
  switch: string;
  start(surroundings: Surroundings): Part;
}
