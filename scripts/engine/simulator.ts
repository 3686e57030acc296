import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { type Child, startChild } from './child-process.ts';

/** A message of the simulator's ledger, as GET /ledger gives it. */
export interface LedgerEntry {
  /** Digits. */
  msisdn: string;
  sender: string;
  /** Reassembled. */
  text: string;
  segments: number;
  /** When the last part came, ms since 1970. */
  at: number;
  messageId: string;
  commandStatus: number;
  answer: 'answered' | 'noAnswer' | 'disconnected';
  complete: boolean;
}

export interface Simulator extends Child {
  readonly smppPort: number;
  readonly httpUrl: string;
  ledger(query?: string): AsyncGenerator<LedgerEntry>;
  summary(): Promise<Record<string, number>>;
  rules(behaviour: object): Promise<void>;
  reset(): Promise<void>;
  /** Cuts all connections. */
  disconnect(): Promise<void>;
  /** An account for SMSBATCH_PROVIDERS that leads here. */
  account(overrides?: object): object;
}

/** The SMSC simulator as a process of its own, on free ports. */
export async function startSimulator(
  logDir: string,
  options: {
    name?: string;
    behaviour?: object;
    ledger?: 'full' | 'counts';
    deliverWindow?: number;
    built?: boolean;
  } = {},
): Promise<Simulator> {
  const { name = 'simulator', behaviour = {}, ledger: kept = 'full', deliverWindow = 1_000, built } = options;
  const child = await startChild({
    name,
    script: 'services/smsc-simulator/main.ts',
    ...(built !== undefined && { built }),
    logDir,
    isReady: (line) => line.ready === true,
    env: {
      SIMULATOR_SMPP_PORT: '0',
      SIMULATOR_HTTP_PORT: '0',
      SIMULATOR_LEDGER: kept,
      SIMULATOR_DELIVER_WINDOW: String(deliverWindow),
      SIMULATOR_BEHAVIOUR: JSON.stringify(behaviour),
    },
  });
  const { smppPort, httpPort } = child.readyLine as { smppPort: number; httpPort: number };
  const httpUrl = `http://127.0.0.1:${httpPort}`;

  async function call(path: string, init?: RequestInit): Promise<Response> {
    const response = await fetch(`${httpUrl}${path}`, init);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }
  async function* ledger(query = ''): AsyncGenerator<LedgerEntry> {
    const response = await call(`/ledger${query}`);
    for await (const line of createInterface({ input: Readable.fromWeb(response.body as never) })) {
      if (line !== '') yield JSON.parse(line) as LedgerEntry;
    }
  }
  return {
    ...child,
    smppPort,
    httpUrl,
    ledger,
    summary: async () => (await call('/summary')).json() as Promise<Record<string, number>>,
    rules: async (rules) => void (await call('/rules', { method: 'POST', body: JSON.stringify(rules) })),
    reset: async () => void (await call('/reset', { method: 'POST' })),
    disconnect: async () => void (await call('/disconnect', { method: 'POST' })),
    account: (overrides = {}) => ({
      name: 'simulator',
      kind: 'smpp',
      host: '127.0.0.1',
      port: smppPort,
      systemId: 'demo',
      password: 'demo',
      ...overrides,
    }),
  };
}
