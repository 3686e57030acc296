import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { Logger } from 'pino';
import { loop } from '../lifecycle/loop.ts';
import { type Part, part } from '../lifecycle/part.ts';
import type { ActorDocument } from './actor-document.ts';

const MARK_EVERY_MS = 1_000;

export interface PublishedMarks extends Part {
  /** The outbox of this version is out. */
  add(id: string, version: number): void;
  /** Whether this host has seen it go out, though the document may not say so yet. */
  has(id: string, version: number): boolean;
}

/** Marks published outboxes in bulk once a second: one write a turn less. A lost mark only republishes. */
export function publishedMarks<D extends ActorDocument>(
  collection: Collection<D>,
  log: Logger,
): PublishedMarks {
  const waiting = new Map<string, number>();

  async function flush(): Promise<void> {
    if (waiting.size === 0) return;
    const marks = [...waiting];
    const operations = marks.map(([id, version]) => ({
      updateOne: {
        filter: { _id: id, version },
        update: { $set: { publishedVersion: version, unpublished: false } },
      },
    }));
    await collection.bulkWrite(operations as unknown as AnyBulkWriteOperation<D>[], { ordered: false });
    for (const [id, version] of marks) {
      if (waiting.get(id) === version) waiting.delete(id);
    }
  }

  const running = part('published marks', ({ signal, defer }) => {
    const marking = loop('published marks', flush, signal, { log, pauseMs: MARK_EVERY_MS });
    defer(async () => {
      await marking;
      await flush();
    });
  });

  return {
    ...running,
    add: (id, version) => void waiting.set(id, version),
    has: (id, version) => waiting.get(id) === version,
  };
}
