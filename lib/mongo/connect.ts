import { type Db, MongoClient, type MongoClientOptions } from 'mongodb';
import type { Logger } from 'pino';
import { retryTransient } from './errors.ts';

export interface MongoOptions {
  /** mongodb://… or mongodb+srv://… Its own options win over the ones set here. */
  url: string;
  database: string;
  /** Shown by db.currentOp(): the service and the host. */
  name: string;
  log: Logger;
  /** Default 20. About twice the partitions of a host; 1 to 4 for a journal, which has its client to itself. */
  maxPoolSize?: number;
  /** How long the first connection may take, e.g. while the server starts. */
  connectTimeoutMs?: number;
  signal?: AbortSignal | undefined;
}

export interface Mongo extends AsyncDisposable {
  readonly client: MongoClient;
  readonly db: Db;
  /** For readiness: one ping, within 2 s. */
  ping(): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}

/**
 * Connects to the system of record. Every write is acknowledged by a majority, from the journal, and is not retried by the
 * driver unless the URL says so: the engine retries by itself, its writes are idempotent, and the embedded server of the
 * demo slows down without bound with the driver's retries.
 * @throws Error naming the address (without the login).
 */
export async function connectMongo(options: MongoOptions): Promise<Mongo> {
  const { url, database, log, connectTimeoutMs = 30_000, signal } = options;
  const client = new MongoClient(url, clientOptions(options));
  const ping = async () => {
    await client.db(database).command({ ping: 1 }, { timeoutMS: 2_000 });
  };
  let away = false;
  const begin = async () => {
    try {
      // In so many words: a command that connects by itself may meet the end of an earlier command's attempt.
      await client.connect();
      await ping();
    } catch (error) {
      if (!away) log.warn({ server: withoutLogin(url), reason: (error as Error).message }, 'MongoDB is away');
      away = true;
      throw error;
    }
  };
  try {
    await retryTransient(begin, { deadlineMs: connectTimeoutMs, signal, what: 'connecting to MongoDB' });
  } catch (error) {
    await client.close();
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? `${message}; ${cause.message}` : message;
    throw new Error(`MongoDB at ${withoutLogin(url)}: ${why}`, { cause: error });
  }
  log.info({ server: withoutLogin(url), database }, 'MongoDB connected');

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= client.close();
    return closing;
  };
  return { client, db: client.db(database), ping, close, [Symbol.asyncDispose]: close };
}

export function clientOptions({
  url,
  name,
  maxPoolSize = 20,
}: Pick<MongoOptions, 'url' | 'name' | 'maxPoolSize'>) {
  const inUrl = queryNames(url);
  const ours: MongoClientOptions = {
    appName: name.slice(0, 128),
    maxPoolSize,
    retryWrites: false,
    w: 'majority',
    journal: true,
    // A partition waits for a turn that waits for MongoDB: 4 s, then the command is given back.
    serverSelectionTimeoutMS: 4_000,
    connectTimeoutMS: 4_000,
    socketTimeoutMS: 30_000,
    waitQueueTimeoutMS: 4_000,
    // Dropped rather than stored as null: an absent field and a null one are different answers in our documents.
    ignoreUndefined: true,
  };
  // The driver lets code win over the URL; people expect what they wrote in the URL to count.
  return Object.fromEntries(
    Object.entries(ours).filter(([option]) => !inUrl.has(option.toLowerCase())),
  ) as MongoClientOptions;
}

function queryNames(url: string): Set<string> {
  const query = url.split('?')[1] ?? '';
  return new Set([...new URLSearchParams(query).keys()].map((each) => each.toLowerCase()));
}

function withoutLogin(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@').replace(/\?.*$/, '');
}
