import type { QueuedIterator, Status } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { type Part, part } from '../lifecycle/part.ts';
import type { Nats } from './connect.ts';

/**
 * Makes streams and stores at its start, and again after each reconnect: a server may come back without its disk. What was
 * in them is published again from the system of record. Its start rejects with what `make` throws; later it is logged.
 * @param make is harmless where everything is there
 */
export function keepMade({ nc }: Pick<Nats, 'nc'>, make: () => Promise<unknown>, log: Logger): Part {
  return part('streams and stores', async ({ defer }) => {
    await make();
    // The client says only that it can be iterated; without its stop it would be kept for as long as the connection.
    const statuses = nc.status() as QueuedIterator<Status>;
    const looking = (async () => {
      for await (const status of statuses) {
        if (status.type !== 'reconnect') continue;
        await make().catch((err) => log.error({ err }, 'streams could not be looked after'));
      }
    })();
    defer(async () => {
      statuses.stop();
      await looking;
    });
  });
}
