import type { Collection, Db } from 'mongodb';
import { isDuplicateKey } from '../../lib/mongo/errors.ts';
import { SCHEDULES } from '../../lib/store/own-collections.ts';
import type { ScheduleDocument } from './schedule-document.ts';

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

/** Ids asked for in one read: the embedded server compares each document with each of them. */
const IDS_A_READ = 50;

export async function readSchedules(
  schedules: Collection<ScheduleDocument>,
  ids: readonly string[],
): Promise<ScheduleDocument[]> {
  const reads: Promise<ScheduleDocument[]>[] = [];
  for (let from = 0; from < ids.length; from += IDS_A_READ) {
    const some = ids.slice(from, from + IDS_A_READ);
    reads.push(schedules.find({ _id: { $in: some } }, { batchSize: IDS_A_READ }).toArray());
  }
  return (await Promise.all(reads)).flat();
}

/**
 * Many decisions in two round trips: each by `_id` and revision. All but the last ask for the majority alone, the last for
 * the journal, too: a log is synced up to a place, so what stands before it is on the disk as well. (The embedded server
 * syncs each update that asks for it: 500 in 1.3 s, so in 0.4 s. In a transaction it would be as fast, but that of a process
 * killed before its commit keeps the documents from everyone else for a minute.)
 * @returns false where one of them, nobody knows which, met another revision: all are read again, those stored are found
 */
export async function writeSchedules(
  schedules: Collection<ScheduleDocument>,
  writes: readonly (Write & { before: ScheduleDocument })[],
): Promise<boolean> {
  const operations = writes.map(({ before, doc }) => updateOf(before, doc));
  const last = operations.pop();
  if (!last) return true;
  let matched = 0;
  if (operations.length > 0) {
    const updates = operations.map(([filter, update]) => ({ updateOne: { filter, update } }));
    const unsynced = { ordered: false, writeConcern: { w: 'majority', journal: false } } as const;
    matched += (await schedules.bulkWrite(updates, unsynced)).matchedCount;
  }
  const synced = await schedules.updateOne(...last);
  // One that met another revision writes nothing, and so syncs nothing.
  if (synced.matchedCount === 0) return false;
  return matched + 1 === writes.length;
}

/** What somebody has written before, and perhaps not synced, is on the disk when this write is. */
export async function syncSchedules(schedules: Collection<ScheduleDocument>, id: string): Promise<void> {
  await schedules.updateOne({ _id: id }, { $inc: { syncs: 1 } });
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
