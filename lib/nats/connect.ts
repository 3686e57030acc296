import { readFileSync } from 'node:fs';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import {
  AuthorizationError,
  ConnectionError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
} from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { backoffMs } from '../lifecycle/backoff.ts';
import { deadlineIn, withTimeout } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { parseNatsUrl, withoutLogin } from './address.ts';
import { refuseOldServer } from './server-floor.ts';

export interface NatsOptions {
  /** One or more addresses, separated by commas: `nats://127.0.0.1:4222`, `tls://user:password@host`. */
  url: string;
  /** Shown by `nats server report connections`: the service and the host. */
  name: string;
  log: Logger;
  credsFile?: string | undefined;
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
  tlsCaFile?: string | undefined;
  tlsCertFile?: string | undefined;
  tlsKeyFile?: string | undefined;
  /** Where the account's permissions allow only some inboxes. */
  inboxPrefix?: string | undefined;
  /** How long the first connection may take, e.g. while the server starts. */
  connectTimeoutMs?: number | undefined;
  /** Gives up the first connection. */
  signal?: AbortSignal | undefined;
}

export interface Nats extends AsyncDisposable {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** For readiness: false between a disconnect and the reconnect. */
  connected(): boolean;
  /** Between a disconnect and the reconnect. A request sent then would be lost, and only its time-out would tell. */
  refuseWhileAway(): void;
  /** Lets what is under way arrive, then closes. May be called twice. */
  close(): Promise<void>;
}

/**
 * Connects, and stays connected: reconnects for ever, with jitter.
 * @throws Error naming the address, when the first connection failed for `connectTimeoutMs`, was refused the login, or
 *   met a server that is too old.
 */
export async function connectNats(options: NatsOptions): Promise<Nats> {
  const nc = await firstConnection(options);
  try {
    refuseOldServer(nc.info);
    const jsm = await jetstreamManager(nc, jetStreamOptions);
    return watch(nc, jetstream(nc, { timeout: jetStreamOptions.timeout }), jsm, options.log);
  } catch (error) {
    await nc.close();
    throw error;
  }
}

const jetStreamOptions = {
  // A request that was written into a dying connection is lost with it: this is how long that takes to notice.
  timeout: 2_000,
  // An old server refuses a configuration that it doesn't know, in place of dropping the field.
  sendRequiredApiLevel: true,
  // Asked by our own check, which can wait for a cluster that is still electing its leader.
  checkAPI: false,
};

async function firstConnection(options: NatsOptions): Promise<NatsConnection> {
  const { log, signal, url } = options;
  const deadline = deadlineIn(options.connectTimeoutMs ?? 30_000);
  for (let attempt = 1; ; attempt++) {
    try {
      const nc = await connect(clientOptions(options));
      try {
        await jetstreamManager(nc, { ...jetStreamOptions, checkAPI: true });
        return nc;
      } catch (error) {
        await nc.close();
        throw error;
      }
    } catch (error) {
      const waitMs = backoffMs(attempt, { firstMs: 200, capMs: 2_000 });
      const hopeless =
        error instanceof AuthorizationError || signal?.aborted || deadline.remainingMs() < waitMs;
      if (hopeless) throw new Error(`NATS at ${withoutLogin(url)}: ${reason(error)}`, { cause: error });
      log.warn({ url: withoutLogin(url), attempt, reason: reason(error) }, 'NATS is not there yet');
      await sleep(waitMs, signal);
    }
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function clientOptions(options: NatsOptions): ConnectionOptions {
  const { credsFile, inboxPrefix, tlsCaFile, tlsCertFile, tlsKeyFile } = options;
  const address = parseNatsUrl(options.url);
  const user = options.user ?? address.user;
  const password = options.password ?? address.password;
  const token = options.token ?? address.token;
  const tls = address.tls || tlsCaFile || tlsCertFile || tlsKeyFile;
  return {
    servers: address.servers,
    name: options.name,
    timeout: 5_000,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => 100 + Math.random() * 400,
    // Two refused logins in a row (a rotated password) would otherwise close the connection for good.
    ignoreAuthErrorAbort: true,
    // A dead peer is noticed after 3 × 5 s; the client's own default is 6 minutes.
    pingInterval: 5_000,
    maxPingOut: 2,
    // A stack trace a request costs more than the request.
    noAsyncTraces: true,
    ...(credsFile && { authenticator: credsAuthenticator(readFileSync(credsFile)) }),
    ...(user && { user }),
    ...(password && { pass: password }),
    ...(token && { token }),
    ...(inboxPrefix && { inboxPrefix }),
    ...(tls && {
      tls: {
        ...(tlsCaFile && { caFile: tlsCaFile }),
        ...(tlsCertFile && { certFile: tlsCertFile }),
        ...(tlsKeyFile && { keyFile: tlsKeyFile }),
      },
    }),
  };
}

function watch(nc: NatsConnection, js: JetStreamClient, jsm: JetStreamManager, log: Logger): Nats {
  let connected = true;
  let closing: Promise<void> | undefined;
  log.info({ server: nc.getServer(), serverVersion: nc.info?.version }, 'NATS connected');

  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') {
        connected = false;
        log.warn({ server: status.server }, 'NATS disconnected');
      } else if (status.type === 'reconnect') {
        connected = true;
        log.info({ server: status.server, serverVersion: nc.info?.version }, 'NATS reconnected');
      } else if (status.type === 'error') {
        log.error({ err: status.error }, 'NATS reported an error');
      } else if (status.type === 'slowConsumer') {
        log.warn({ subject: status.sub.getSubject(), pending: status.pending }, 'NATS subscription is slow');
      } else if (status.type === 'ldm' || status.type === 'staleConnection') {
        log.info({ status: status.type }, 'NATS connection will move');
      }
    }
  })();
  void nc.closed().then((err) => {
    connected = false;
    if (!closing) log.fatal({ err }, 'NATS connection closed for good');
  });

  async function drain(): Promise<void> {
    if (nc.isClosed()) return;
    // While the server is away there is nobody to drain to, and drain would wait for the reconnect.
    if (connected) await withTimeout(nc.drain(), 3_000, 'draining NATS').catch(() => {});
    await nc.close();
  }
  function close(): Promise<void> {
    closing ??= drain();
    return closing;
  }
  function refuseWhileAway(): void {
    if (!connected) throw new ConnectionError('NATS is disconnected');
  }
  return { nc, js, jsm, connected: () => connected, refuseWhileAway, close, [Symbol.asyncDispose]: close };
}
