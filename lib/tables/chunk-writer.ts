import type { Collection } from 'mongodb';
import { isDuplicateKey, retryTransient } from '../mongo/errors.ts';
import type { SourceChunk } from '../store/table-documents.ts';

const CHUNKS_A_WRITE = 24;
const WRITES_AT_ONCE = 3;
const WRITE_DEADLINE_MS = 60_000;

/** Inserts chunks in groups, some at once; whoever fills it waits for `ready` between two batches. */
export interface ChunkWriter {
  add(chunk: SourceChunk): void;
  /** Resolves when few enough chunks are waiting. @throws what a write threw */
  ready(): Promise<void>;
  /** Resolves when everything is written. @throws what a write threw */
  end(): Promise<void>;
}

export function chunkWriter(collection: Collection<SourceChunk>, signal: AbortSignal): ChunkWriter {
  const waiting: SourceChunk[] = [];
  let failure: { error: unknown } | undefined;
  const writes = new Set<Promise<void>>();

  async function insert(chunks: SourceChunk[]): Promise<void> {
    const write = async (attempt: number) => {
      try {
        await collection.insertMany(chunks, { ordered: false });
      } catch (error) {
        // An id is used once: that it is there means that an earlier try did arrive.
        if (attempt === 1 || !isDuplicateKey(error)) throw error;
      }
    };
    await retryTransient(write, { deadlineMs: WRITE_DEADLINE_MS, what: 'writing chunks', signal });
  }

  function send(): void {
    const chunks = waiting.splice(0, CHUNKS_A_WRITE);
    const write: Promise<void> = insert(chunks)
      .catch((error) => {
        failure ??= { error };
      })
      .finally(() => {
        writes.delete(write);
        if (waiting.length >= CHUNKS_A_WRITE && !failure) send();
      });
    writes.add(write);
  }

  async function until(done: () => boolean): Promise<void> {
    while (!failure && !done()) await Promise.race(writes);
    if (!failure) return;
    // Nothing may still be on its way when the caller removes what was written.
    await Promise.all(writes);
    throw failure.error;
  }

  return {
    add(chunk) {
      waiting.push(chunk);
      if (waiting.length >= CHUNKS_A_WRITE && writes.size < WRITES_AT_ONCE) send();
    },
    ready: () => until(() => waiting.length < 2 * CHUNKS_A_WRITE),
    end: () =>
      until(() => {
        while (waiting.length > 0 && writes.size < WRITES_AT_ONCE) send();
        return waiting.length === 0 && writes.size === 0;
      }),
  };
}
