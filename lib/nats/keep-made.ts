import type { Logger } from 'pino';
import type { Nats } from './connect.ts';

/**
 * Makes streams and stores now, and again after each reconnect until the connection closes: a server may come back without
 * its disk. What was in them is published again from the system of record.
 * @param make is harmless where everything is there
 * @throws what `make` throws at the first time; later it is logged
 */
export async function keepMade(
  { nc }: Pick<Nats, 'nc'>,
  make: () => Promise<unknown>,
  log: Logger,
): Promise<void> {
  await make();
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type !== 'reconnect') continue;
      await make().catch((err) => log.error({ err }, 'streams could not be looked after'));
    }
  })();
}
