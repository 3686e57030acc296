import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { TSchema } from 'typebox';
import type { TaskRunRequest } from '../../../contracts/task-api.ts';
import type { Nats } from '../../../lib/nats/connect.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import type { Store } from '../../../lib/store/collections.ts';

/** What a task has at hand. */
export interface TaskContext {
  run: TaskRunRequest;
  store: Store;
  nats: Nats;
  nc: NatsConnection;
  publisher: Publisher;
  log: Logger;
  nowMs: number;
  /** Aborts when the process stops, or the time of the run is over. */
  signal: AbortSignal;
}

/** One type of maintenance task. Its runs may come twice: it has to be harmless then. */
export interface TaskType {
  type: string;
  description: string;
  /** What a schedule may say under `config`. */
  configSchema: TSchema;
  /** @returns what is kept with the run. @throws Error: the run has failed, its message says why. */
  run(context: TaskContext): Promise<unknown>;
}

export type TaskTypes = ReadonlyMap<string, TaskType>;

export function taskTypes(types: readonly TaskType[]): TaskTypes {
  const known = new Map<string, TaskType>();
  for (const each of types) {
    if (known.has(each.type)) throw new Error(`task ${each.type} is registered already`);
    known.set(each.type, each);
  }
  return known;
}
