import type { Collection, Db } from 'mongodb';
import { isDuplicateKey } from '../../lib/mongo/errors.ts';
import type { IndexTable } from '../../lib/mongo/indexes.ts';
import { SCHEDULES } from '../../lib/store/own-collections.ts';
import type { ScheduleDocument } from './schedule-document.ts';

/** By what is due, and by the batch of a run that goes on. Few documents have either for long. */
export const SCHEDULE_INDEXES: IndexTable = {
  [SCHEDULES]: [
    { name: 'next', key: { nextAt: 1 }, options: { sparse: true } },
    { name: 'active', key: { activeBatches: 1 }, options: { sparse: true } },
  ],
};

export const schedulesOf = (db: Db): Collection<ScheduleDocument> => db.collection(SCHEDULES);

/** A decision to be stored: the document as it was read, and as it is to be. */
export interface Write {
  before: ScheduleDocument | undefined;
  doc: ScheduleDocument;
}

/** @returns false where somebody else wrote first: then it is read and decided again */
export async function writeSchedule(
  schedules: Collection<ScheduleDocument>,
  { before, doc }: Write,
): Promise<boolean> {
  if (before === undefined) {
    try {
      await schedules.insertOne(doc);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }
  const written = await schedules.updateOne(...updateOf(before, doc));
  return written.matchedCount === 1;
}

/**
 * Many decisions in one round trip: each by `_id` and revision.
 * @returns false where one of them, nobody knows which, met another revision: all are read again, those stored are found
 */
export async function writeSchedules(
  schedules: Collection<ScheduleDocument>,
  writes: readonly (Write & { before: ScheduleDocument })[],
): Promise<boolean> {
  if (writes.length === 0) return true;
  const operations = writes.map(({ before, doc }) => {
    const [filter, update] = updateOf(before, doc);
    return { updateOne: { filter, update } };
  });
  const result = await schedules.bulkWrite(operations, { ordered: false });
  return result.matchedCount === writes.length;
}

/** Only what has changed: a template may be large, and a run leaves it alone. */
function updateOf(before: ScheduleDocument, doc: ScheduleDocument) {
  const set: Record<string, unknown> = {};
  const unset: Record<string, ''> = {};
  const names = new Set([...Object.keys(before), ...Object.keys(doc)]) as Set<keyof ScheduleDocument>;
  for (const name of names) {
    if (doc[name] === before[name]) continue;
    if (doc[name] === undefined) unset[name] = '';
    else set[name] = doc[name];
  }
  return [
    { _id: before._id, revision: before.revision },
    { $set: set, ...(Object.keys(unset).length > 0 && { $unset: unset }) },
  ] as const;
}
