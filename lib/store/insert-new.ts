import { type Collection, MongoBulkWriteError, type OptionalUnlessRequiredId } from 'mongodb';
import { isDuplicateKey, retryTransient } from '../mongo/errors.ts';

const WRITE_DEADLINE_MS = 20_000;

/**
 * Inserts what is not there yet; what is, stands: another holder, or an earlier try, was faster.
 * @returns the ids that were there before
 */
export async function insertNew<T extends { _id: string }>(
  collection: Collection<T>,
  documents: readonly T[],
): Promise<string[]> {
  if (documents.length === 0) return [];
  const insert = async (): Promise<string[]> => {
    try {
      await collection.insertMany(documents as OptionalUnlessRequiredId<T>[], { ordered: false });
      return [];
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError) || !isDuplicateKey(error)) throw error;
      return [error.writeErrors].flat().map(({ index }) => documents[index]!._id);
    }
  };
  return retryTransient(insert, {
    deadlineMs: WRITE_DEADLINE_MS,
    what: `inserting into ${collection.collectionName}`,
  });
}
