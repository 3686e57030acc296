import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';
import { withTimeout } from '../lifecycle/deadline.ts';

export interface RedisConnectOptions {
  /** `host:port`, or `redis://` and `rediss://` with login and database. */
  addr: string;
  /** Shown by CLIENT LIST. */
  name: string;
  log: Logger;
  /** How long one command may take. Short: whoever asks has a way to go on without the answer. */
  commandTimeoutMs?: number;
}

export interface RedisView extends AsyncDisposable {
  readonly redis: Redis;
  /** True when a command would be sent now. */
  isReady(): boolean;
  /** Resolves when it is ready, or after `ms` without: false. */
  whenReady(ms: number): Promise<boolean>;
  /** May be called twice. */
  close(): Promise<void>;
}

/**
 * A connection to what is only a view: commands fail at once while Redis is away, they are never queued, and the connection
 * comes back by itself. A Redis that is down at start is no error: nothing that has to be kept lies in it.
 */
export function connectRedis({ addr, name, log, commandTimeoutMs = 500 }: RedisConnectOptions): RedisView {
  const redis = new Redis({ ...address(addr), ...options(name, commandTimeoutMs), replyMapping: 'legacy' });
  watch(redis, log);
  redis.connect().catch(() => {
    // The reconnect goes on, and watch() has logged it.
  });

  let closing: Promise<void> | undefined;
  async function finish(): Promise<void> {
    if (redis.status === 'ready') await withTimeout(redis.quit(), 1_000, 'closing Redis').catch(() => {});
    redis.disconnect();
  }
  function close(): Promise<void> {
    closing ??= finish();
    return closing;
  }
  const isReady = () => redis.status === 'ready';
  return { redis, isReady, whenReady: (ms) => whenReady(redis, ms), close, [Symbol.asyncDispose]: close };
}

function options(name: string, commandTimeoutMs: number): RedisOptions {
  return {
    connectionName: name.replace(/\s/g, '-'),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    // After a reconnect nobody waits for these any more, and a reservation of the past must not be made again.
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2_000,
    // A peer that vanished without a word: the next command that stays without data for so long closes the socket.
    socketTimeout: commandTimeoutMs * 4,
    keepAlive: 5_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000) * (0.5 + Math.random() / 2),
  };
}

function address(addr: string): RedisOptions {
  const url = new URL(/^rediss?:\/\//.test(addr) ? addr : `redis://${addr}`);
  const db = Number(url.pathname.slice(1) || '0');
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(url.port || '6379'),
    ...(Number.isInteger(db) && { db }),
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** One line for each change: a Redis that stays away for a day must not fill the log. */
function watch(redis: Redis, log: Logger): void {
  const { host, port } = redis.options;
  const server = `${host}:${port}`;
  let away = false;
  redis.on('ready', () => {
    away = false;
    log.info({ server }, 'Redis connected');
  });
  redis.on('error', (err: Error) => {
    if (!away) log.warn({ server, reason: err.message }, 'Redis is away');
    away = true;
  });
}

function whenReady(redis: Redis, ms: number): Promise<boolean> {
  if (redis.status === 'ready') return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (ready: boolean) => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      resolve(ready);
    };
    const onReady = () => settle(true);
    const timer = setTimeout(() => settle(false), ms);
    redis.once('ready', onReady);
  });
}
