import { createHash } from 'node:crypto';
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  StorageType,
} from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { UPLOADS_STORE } from '../../../contracts/subjects.ts';
import type { Nats } from '../../nats/connect.ts';
import { retryUnavailable } from '../../nats/unavailable.ts';
import { refuseSource } from './refuse-source.ts';
import type { Octets } from './text-octets.ts';

const STREAM = `OBJ_${UPLOADS_STORE}`;
const STREAM_NOT_FOUND = 10059;

/** Makes the object store that files are uploaded to. One that is there stays as its owner made it. */
export async function ensureUploads({ js, jsm }: Pick<Nats, 'js' | 'jsm'>, replicas: number): Promise<void> {
  await retryUnavailable(`object store ${UPLOADS_STORE}`, async () => {
    try {
      await jsm.streams.info(STREAM);
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error;
      await new Objm(js).create(UPLOADS_STORE, {
        description: 'Recipient files: nats object put SMS_UPLOADS people.csv',
        storage: StorageType.File,
        replicas,
      });
    }
  });
}

/**
 * A file in the object store, read as fast as it is used: the client's own `get` pushes the whole object into memory
 * when its reader is slower than the network.
 * @throws RefusedError when there is no such object.
 */
export async function uploadedObject({ js, jsm }: Pick<Nats, 'js' | 'jsm'>, name: string): Promise<Octets> {
  const store = await new Objm(js).open(UPLOADS_STORE);
  const info = await store.info(name);
  if (!info || info.deleted) {
    const names = (await store.list()).slice(0, 10).map((each) => each.name);
    const expected = names.length > 0 ? `one of: ${names.join(', ')}` : `nats object put ${UPLOADS_STORE} …`;
    throw refuseSource(`There is no object ${name} in ${UPLOADS_STORE}.`, name, expected, {
      field: 'source/name',
      code: 'not-found',
    });
  }
  if (info.options?.link) {
    throw refuseSource(`The object ${name} is a link.`, name, 'the object itself', { field: 'source/name' });
  }
  return {
    label: `object ${name}`,
    size: info.size,
    open: (signal) => chunksOf(js, jsm, info, signal),
  };
}

const PULLED_AT_ONCE = 8;
const PULL_MS = 5_000;
const STALLED_AFTER_MS = 30_000;

async function* chunksOf(
  js: JetStreamClient,
  jsm: JetStreamManager,
  object: { nuid: string; size: number; digest: string; name: string },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (object.size === 0) return;
  const { name: consumerName } = await jsm.consumers.add(STREAM, {
    filter_subject: `$O.${UPLOADS_STORE}.C.${object.nuid}`,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.None,
    mem_storage: true,
    // The server removes it when this process is gone.
    inactive_threshold: 60_000_000_000,
  });
  try {
    const consumer = await js.consumers.get(STREAM, consumerName);
    const hash = createHash('sha256');
    let read = 0;
    let movedAt = performance.now();
    while (read < object.size) {
      signal.throwIfAborted();
      const pulled = await consumer
        .fetch({ max_messages: PULLED_AT_ONCE, expires: PULL_MS })
        .catch((error) => {
          throw stalled(object.name, (error as Error).message);
        });
      for await (const message of pulled) {
        hash.update(message.data);
        read += message.data.length;
        movedAt = performance.now();
        yield message.data;
        if (read >= object.size) break;
      }
      if (performance.now() - movedAt > STALLED_AFTER_MS) {
        throw stalled(object.name, `${read} of ${object.size} octets came, then none for 30 s`);
      }
    }
    const digest = `SHA-256=${hash.digest('base64url')}`;
    if (digest.replaceAll('=', '') !== object.digest.replaceAll('=', '')) {
      throw refuseSource(
        `The object ${object.name} is damaged: its digest differs.`,
        object.name,
        'the object put again',
      );
    }
  } finally {
    await jsm.consumers.delete(STREAM, consumerName).catch(() => {});
  }
}

const stalled = (name: string, why: string) =>
  refuseSource(
    `The object ${name} could not be read to its end: ${why}.`,
    name,
    'another try, when NATS is well',
    {
      code: 'unavailable',
    },
  );
