import type { Logger } from 'pino';
import type { Nats } from './connect.ts';
import { ensureStream, type WantedStream } from './streams.ts';

/**
 * Makes the streams now, and again after each reconnect until the connection closes: a server may come back without its
 * disk. What was in them is published again from the system of record.
 * @throws ConfigMismatchError for one that exists and differs, at the first time; later it is logged
 */
export async function keepStreams(
  { nc, jsm }: Pick<Nats, 'nc' | 'jsm'>,
  wanted: readonly WantedStream[],
  log: Logger,
): Promise<void> {
  const make = async () => {
    for (const stream of wanted) await ensureStream(jsm, stream);
  };
  await make();
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type !== 'reconnect') continue;
      await make().catch((err) => log.error({ err }, 'the streams could not be looked after'));
    }
  })();
}
