import type { Store } from '../../../lib/store/collections.ts';
import { insertNew } from '../../../lib/store/insert-new.ts';
import type { NumberPlaces } from '../../../lib/store/number-places.ts';
import type { PreparedChunk } from './prepare-chunk.ts';
import type { CountedChunk } from './totals.ts';

/**
 * Inserts chunks, each one's outcome document first: a message chunk without one would be sent without an account.
 * @param numberPlaces of buckets whose last chunk is among them
 * What is there already (another holder was faster) is passed over, and stands.
 * @returns each chunk as it is stored, in order
 */
export async function insertChunks(
  store: Pick<Store, 'outcomes' | 'messageChunks' | 'numberPlaces'>,
  chunks: readonly PreparedChunk[],
  numberPlaces: readonly NumberPlaces[],
): Promise<CountedChunk[]> {
  const known = new Set([
    ...(await insertNew(
      store.outcomes,
      chunks.map(({ outcome }) => outcome),
    )),
    ...(await insertNew(
      store.messageChunks,
      chunks.map(({ message }) => message),
    )),
  ]);
  await insertNew(store.numberPlaces, numberPlaces);
  const stored = known.size > 0 ? await readCounted(store, [...known]) : new Map<string, CountedChunk>();
  return chunks.map(({ outcome, message }) => {
    const { encodings, segments } = message;
    return stored.get(outcome._id) ?? { counts: outcome.counts, encodings, segments };
  });
}

/** Counts of what is stored, never of what was computed again: a change of the code in between must not show. */
async function readCounted(
  { outcomes, messageChunks }: Pick<Store, 'outcomes' | 'messageChunks'>,
  ids: readonly string[],
): Promise<Map<string, CountedChunk>> {
  const filter = { _id: { $in: [...ids] } };
  const [counted, columns] = await Promise.all([
    outcomes.find(filter, { projection: { counts: 1 }, batchSize: 1_000 }).toArray(),
    messageChunks.find(filter, { projection: { encodings: 1, segments: 1 }, batchSize: 1_000 }).toArray(),
  ]);
  const byId = new Map(columns.map((each) => [each._id, each]));
  return new Map(
    counted.flatMap(({ _id, counts }) => {
      const message = byId.get(_id);
      return message ? [[_id, { counts, encodings: message.encodings, segments: message.segments }]] : [];
    }),
  );
}
