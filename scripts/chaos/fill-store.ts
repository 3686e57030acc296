import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { sleep } from '../../lib/lifecycle/sleep.ts';

const FILLER = 'CHAOS_FILLER';
const BODY = new Uint8Array(900_000);
const AT_A_TIME = 8;
/** Where the server has no limit of its own (`max_file_store`), a disk is not filled up. */
const MOST_BYTES = 6 * 1024 ** 3;

/** Fills what is left of the JetStream store until the server refuses more, leaves it so for a while, and empties it. */
export async function fillStore(natsUrl: string, fullMs: number): Promise<number> {
  const nc = await connect({ servers: natsUrl });
  try {
    const jsm = await jetstreamManager(nc);
    const js = jetstream(nc);
    await jsm.streams.add({ name: FILLER, subjects: ['chaos.filler'], storage: 'file' });
    try {
      let filled = 0;
      for (let full = false; !full && filled < MOST_BYTES; ) {
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
