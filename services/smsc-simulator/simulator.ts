import { once } from 'node:events';
import { createServer } from 'node:net';
import { type BehaviourChange, changed, defaultBehaviour } from './behaviour.ts';
import type { Simulator } from './control.ts';
import { startHttp } from './http.ts';
import { Smsc } from './smsc.ts';

export interface SimulatorOptions {
  host?: string;
  /** 0 = a free one. */
  smppPort?: number;
  /** 0 = a free one; null = none. */
  httpPort?: number | null;
  /** Accepted passwords by system_id; absent = everyone. */
  accounts?: Record<string, string>;
  /** Binds of one account at the same time; 0 = no limit. */
  maxBinds?: number;
  systemId?: string;
  /** `counts` keeps no messages, for the longest runs. */
  ledger?: 'full' | 'counts';
  behaviour?: BehaviourChange;
  /** deliver_sm without an answer on a bind, at most. */
  deliverWindow?: number;
  /** For shares and jitter; give a seeded one to repeat a run. */
  random?: () => number;
}

export type { Simulator } from './control.ts';

/** An SMSC on real TCP, in this process; main.ts makes a process of its own of it. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1';
  const smsc = new Smsc({
    accounts: options.accounts,
    maxBinds: options.maxBinds ?? 0,
    systemId: options.systemId ?? 'smsc-simulator',
    keepLedger: (options.ledger ?? 'full') === 'full',
    deliverWindow: options.deliverWindow ?? 1000,
    random: options.random ?? Math.random,
    behaviour: changed(defaultBehaviour, options.behaviour ?? {}),
  });
  const server = createServer({ noDelay: true }, (socket) => smsc.accept(socket));
  server.listen(options.smppPort ?? 0, host);
  await once(server, 'listening');
  const smppPort = (server.address() as { port: number }).port;

  let stopped: Promise<void> | undefined;
  const simulator: Omit<Simulator, 'httpPort'> = {
    smppPort,
    get behaviour() {
      return smsc.behaviour;
    },
    change: (change) => smsc.change(change),
    reset: () => smsc.reset(),
    summary: async () => ({ ...(await smsc.recorder.summary()), ...smsc.status() }),
    messages: (query = {}) => smsc.messages(query),
    disconnectAll: () => smsc.disconnectAll(),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    [Symbol.asyncDispose]: () => simulator.stop(),
  };
  const http =
    options.httpPort === null ? undefined : await startHttp(simulator, host, options.httpPort ?? 0);

  async function stop(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    smsc.stop();
    await Promise.all([closed, http?.stop()]);
  }

  return Object.defineProperty(simulator as Simulator, 'httpPort', { value: http?.port });
}
