import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { sleep } from '../../lib/lifecycle/sleep.ts';

const FILLER = 'CHAOS_FILLER';
const BODY = new Uint8Array(900_000);
const AT_A_TIME = 8;
/** Where the server has no limit (`max_file_store`), the disk itself is not filled up. */
const MOST_BYTES = 8 * 1024 ** 3;

/** Fills what is left of the JetStream store until the server refuses more, leaves it so for a while, and empties it. */
export async function fillStore(natsUrl: string, fullMs: number): Promise<number> {
  const nc = await connect({ servers: natsUrl });
  try {
    const jsm = await jetstreamManager(nc);
    const js = jetstream(nc);
    await jsm.streams.add({ name: FILLER, subjects: ['chaos.filler'], storage: 'file' });
    try {
      let filled = 0;
      for (let full = false; !full; ) {
        if (filled > MOST_BYTES) throw new Error('the NATS store has no limit');
        const sent = await Promise.allSettled(
          Array.from({ length: AT_A_TIME }, () => js.publish('chaos.filler', BODY, { timeout: 10_000 })),
        );
        filled += sent.filter(({ status }) => status === 'fulfilled').length * BODY.length;
        full = sent.some(({ status }) => status === 'rejected');
      }
      await sleep(fullMs);
      return filled;
    } finally {
      await jsm.streams.delete(FILLER);
    }
  } finally {
    await nc.close();
  }
}
