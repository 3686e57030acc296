import { chunkId } from '../../contracts/ids.ts';
import { idKey, otherIdKeys, sameMessageId } from '../../lib/receipts/id-keys.ts';
import { canonicalMessageId, messageIdVariants } from '../../lib/smpp/message-id.ts';
import type { Store } from '../../lib/store/collections.ts';
import { splitColumn } from '../../lib/store/columns.ts';
import { chunkOfPlace } from '../../lib/store/task-document.ts';
import { idsUnder } from '../../lib/tables/chunk-ranges.ts';
import { chunksOfBucket } from '../../lib/tables/partition-layout.ts';
import type { Life } from './directory.ts';
import type { JoinItem } from './join-item.ts';
import type { Joining, JoinRound } from './join-round.ts';
import type { ReceiptChunk } from './receipt-chunk.ts';

const CHUNKS_A_READ = 100;
type OutcomeStore = Pick<Store, 'outcomes'>;
type RecentStore = Pick<Store, 'outcomes' | 'tasks'>;

/** Chunks behind and at the cursor of a task: where receipts that come now most likely belong. */
const CHUNKS_BEHIND = 8;
const TASKS_LOOKED_AT = 16;

/**
 * Receipts without a number, compared with the ids of the chunks that were sent last and those that are in memory. A key has
 * 32 bits, which is not enough for an id alone, so a hit is compared with the stored id.
 */
export async function matchByIdInMemory(
  round: JoinRound,
  { chunks, directory }: Joining,
  store: RecentStore,
  items: readonly JoinItem[],
): Promise<void> {
  if (items.length === 0) return;
  const wanted = new Map<number, JoinItem[]>();
  for (const item of items) {
    const { messageId } = item.text;
    for (const key of [idKey(messageId), ...otherIdKeys(messageId)]) {
      const known = wanted.get(key);
      if (known) known.push(item);
      else wanted.set(key, [item]);
    }
  }
  for (const provider of new Set(items.map((item) => item.provider))) {
    const sending = directory.livesOf(provider).filter(({ endedAt }) => endedAt === undefined);
    const recent: string[] = [];
    for (const life of sending) recent.push(...(await recentChunks(store, life)));
    await chunks.load(recent);
    const open = recent.flatMap((id) => chunks.get(id) ?? []).filter((chunk) => !chunk.settled);
    await chunks.refresh(open);
  }
  const hits = [...chunks.all()].flatMap((chunk) => {
    const found = [...chunk.withKeys(wanted)];
    return found.length > 0 ? [{ chunk, found }] : [];
  });
  const stored = await idsOf(
    store,
    hits.map(({ chunk }) => chunk.id),
  );
  for (const { chunk, found } of hits) {
    for (const { position, key } of found) {
      const ids = [...(stored.get(chunk.id)?.[position]?.split(' ') ?? []), ...lateIds(chunk, position)];
      for (const item of wanted.get(key)!) {
        if (!ids.some((id) => sameMessageId(id, item.text.messageId))) continue;
        joinById(round, chunk, position, item);
      }
    }
  }
}

async function recentChunks(store: RecentStore, life: Life): Promise<string[]> {
  const tasks = await store.tasks
    .find({ _id: idsUnder(`${life.id}.delivery`) }, { projection: { cursor: 1, authorisedTo: 1 } })
    .sort({ progressAt: -1 })
    .limit(TASKS_LOOKED_AT)
    .toArray();
  return tasks.flatMap(({ cursor, authorisedTo }) => {
    const last = Math.max(chunkOfPlace(cursor), chunkOfPlace(authorisedTo));
    const first = Math.max(0, chunkOfPlace(cursor) - CHUNKS_BEHIND);
    return Array.from({ length: last - first + 1 }, (_, i) =>
      chunkId(life.batchId, life.incarnation, first + i),
    );
  });
}

async function idsOf(store: OutcomeStore, chunks: readonly string[]): Promise<Map<string, string[]>> {
  const found = await store.outcomes
    .find({ _id: { $in: [...chunks] } }, { projection: { ids: 1, size: 1 }, batchSize: CHUNKS_A_READ })
    .toArray();
  return new Map(found.map(({ _id, ids, size }) => [_id, splitColumn(ids, size)]));
}

const lateIds = (chunk: ReceiptChunk, position: number): string[] =>
  chunk.columns.lateAnswerAt(position)?.messageId.split(' ') ?? [];

function joinById(round: JoinRound, chunk: ReceiptChunk, position: number, item: JoinItem): void {
  if (item.joined || (chunk.provider !== undefined && chunk.provider !== item.provider)) return;
  const part = item.partOf(chunk, position);
  if (part !== -1) round.join(chunk, item, position, chunk.partCount(position), part);
}

/** The same against every chunk of the account's batches, the newest first: for parked receipts, all of them in one pass. */
export async function matchByIdInStore(
  round: JoinRound,
  { chunks, directory }: Joining,
  store: OutcomeStore,
  items: readonly JoinItem[],
): Promise<void> {
  for (const provider of new Set(items.map((item) => item.provider))) {
    const own = items.filter((item) => item.provider === provider);
    const wanted = new Map<string, JoinItem[]>();
    for (const item of own) {
      for (const id of new Set(messageIdVariants(item.text.messageId).map(canonicalMessageId))) {
        wanted.set(id, [...(wanted.get(id) ?? []), item]);
      }
    }
    for (const life of directory.livesOf(provider)) {
      for (const page of pagesOf(life)) {
        if (own.every((item) => item.joined)) break;
        const found = await store.outcomes
          .find({ _id: { $in: page } }, { projection: { ids: 1, size: 1 }, batchSize: CHUNKS_A_READ })
          .toArray();
        for (const { _id, ids, size } of found) {
          const hits = hitsIn(splitColumn(ids, size), wanted);
          if (hits.length > 0) await chunks.load([_id]);
          const chunk = chunks.get(_id);
          for (const { position, item } of hits) if (chunk) joinById(round, chunk, position, item);
        }
      }
    }
  }
}

function hitsIn(ids: readonly string[], wanted: ReadonlyMap<string, JoinItem[]>) {
  const hits: { position: number; item: JoinItem }[] = [];
  ids.forEach((joined, position) => {
    if (joined === '') return;
    for (const id of joined.split(' ')) {
      for (const item of wanted.get(canonicalMessageId(id)) ?? []) hits.push({ position, item });
    }
  });
  return hits;
}

/** Ids of a batch's chunks, from the last to the first. */
function* pagesOf(life: Life): Generator<string[]> {
  const end = chunksOfBucket(life.layout, 2 ** life.layout.bucketBits - 1).to;
  for (let to = end; to > 0; to -= CHUNKS_A_READ) {
    const page: string[] = [];
    for (let index = to - 1; index >= Math.max(0, to - CHUNKS_A_READ); index--) {
      page.push(chunkId(life.batchId, life.incarnation, index));
    }
    yield page;
  }
}
