import { JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { retryUnavailable } from '../../lib/nats/unavailable.ts';

const STREAM_NOT_FOUND = 10059;

/** The stream that takes a subject; null: none does, a message to it is for whoever listens. */
export async function findStream(jsm: JetStreamManager, subject: string): Promise<string | null> {
  return retryUnavailable(`the stream of ${subject}`, async () => {
    try {
      return await jsm.streams.find(subject);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return null;
      throw error;
    }
  });
}
