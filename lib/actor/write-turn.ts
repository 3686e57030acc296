import type { Collection, Filter, OptionalUnlessRequiredId } from 'mongodb';
import { isDuplicateKey } from '../mongo/errors.ts';
import type { ActorDocument, CommandMark } from './actor-document.ts';

/** `ours`: written, now or by an earlier try of this very command. `theirs`: someone else wrote; look again. */
export type Written = 'ours' | 'theirs';

/**
 * The one write of a turn: state, marks, history and outbox, filtered on the version that was read. A zombie host loses
 * here. After a lost answer the document itself says whether the write was ours.
 */
export async function writeTurn<D extends ActorDocument>(
  collection: Collection<D>,
  before: D | undefined,
  next: D,
  mark: CommandMark,
): Promise<Written> {
  const marked = {
    ...next,
    lastCommandSeq: mark.seq,
    lastCommandAt: mark.atMs,
    unpublished: next.outbox.length > 0,
    publishedVersion: next.outbox.length > 0 ? next.publishedVersion : next.version,
  };
  if (before === undefined) {
    try {
      await collection.insertOne(marked as OptionalUnlessRequiredId<D>);
      return 'ours';
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
  } else {
    const written = await collection.replaceOne(
      { _id: before._id, version: before.version } as Filter<D>,
      marked,
    );
    if (written.matchedCount === 1) return 'ours';
  }
  const stored = await collection.findOne({ _id: next._id } as Filter<D>);
  const same =
    stored !== null &&
    stored.version === next.version &&
    stored.lastCommandSeq === mark.seq &&
    stored.lastCommandAt === mark.atMs;
  return same ? 'ours' : 'theirs';
}
