import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import { group, type Part, part } from '../../../../lib/lifecycle/part.ts';
import type { Publisher } from '../../../../lib/nats/publish.ts';
import { upsertAccounts } from '../../../../lib/provider/accounts.ts';
import type { RateLimiter } from '../../../../lib/rate/rate-limiter.ts';
import { accountKey } from '../pacing.ts';
import type { Provider } from './provider.ts';
import type { ProviderConfig } from './provider-config.ts';
import { type ReceiptIntake, receiptIntake } from './receipt-intake.ts';
import { smppProvider } from './smpp/smpp-provider.ts';

export interface ConnectedProvider {
  provider: Provider;
  intake: ReceiptIntake;
  /** Segments a second of one sender; null = no ceiling. */
  senderTps: number | null;
}

/** All carrier accounts of this process: bound while it lives, so that receipts reach us after a batch's end. */
export interface ProviderSet extends Part {
  get(name: string): ConnectedProvider | undefined;
  all(): readonly ConnectedProvider[];
}

export function providerSet(options: {
  configs: readonly ProviderConfig[];
  db: Db;
  publisher: Publisher;
  limiter: Pick<RateLimiter, 'throttled'>;
  /** Of this process. */
  hostId: string;
  log: Logger;
}): ProviderSet {
  const { configs, db, publisher, limiter, hostId, log } = options;
  const connected = new Map<string, ConnectedProvider>();
  const parts: Part[] = [];
  for (const config of configs) {
    const intake = receiptIntake({
      provider: config.name,
      publisher,
      id: `${hostId}.${process.pid}.${Date.now().toString(36)}`,
      log,
    });
    const provider = smppProvider({
      account: config,
      intake,
      log,
      onThrottled: () => void limiter.throttled(accountKey(config.name)),
    });
    parts.push(provider);
    connected.set(config.name, { provider, intake, senderTps: config.senderTps ?? null });
  }
  const published = part('provider accounts', () =>
    upsertAccounts(
      db,
      [...connected.values()].map(({ provider: { account } }) => ({
        _id: account.name,
        kind: account.kind,
        tps: account.tps,
        window: account.window,
      })),
      Date.now(),
    ),
  );
  return {
    ...group('providers', [published, ...parts]),
    get: (name) => connected.get(name),
    all: () => [...connected.values()],
  };
}
