import { chunkId, lifeId } from '../../contracts/ids.ts';
import { bucketOf, hashMsisdn } from '../phone/bucket.ts';
import type { Store } from '../store/collections.ts';
import { splitColumn } from '../store/columns.ts';
import { mergeOutcomes } from '../store/merge-outcomes.ts';
import { chunksOfBucket } from '../tables/partition-layout.ts';
import type { Life, Recipient } from './each-recipient.ts';

export interface FoundRecipient extends Recipient {
  text: string;
  segments: number;
  encoding: 'gsm7' | 'ucs2' | null;
}

/** Where a number stands in a batch: reads the one bucket that its hash names. Several, where it is a duplicate. */
export async function findRecipient(store: Store, life: Life, msisdn: string): Promise<FoundRecipient[]> {
  const { batchId, incarnation } = life;
  const partition = await store.partitions.findOne({ _id: lifeId(batchId, incarnation) });
  if (!partition) return [];
  const { from, to } = chunksOfBucket(partition, bucketOf(hashMsisdn(msisdn), partition.bucketBits));
  const ids = Array.from({ length: to - from }, (_, i) => chunkId(batchId, incarnation, from + i));
  const found: FoundRecipient[] = [];
  for await (const message of store.messageChunks
    .find({ _id: { $in: ids } })
    .sort({ index: 1 })
    .batchSize(20)) {
    if (!message.phones.includes(msisdn)) continue;
    const phones = splitColumn(message.phones, message.size);
    const positions = phones.flatMap((phone, position) => (phone === msisdn ? [position] : []));
    if (positions.length === 0) continue;
    const [outcome, receipt] = await Promise.all([
      store.outcomes.findOne({ _id: message._id }),
      store.receipts.findOne({ _id: message._id }),
    ]);
    if (!outcome) continue;
    const merged = mergeOutcomes(outcome, receipt);
    const texts = splitColumn(message.texts, message.sameText ? 1 : message.size);
    for (const position of positions) {
      const letter = message.encodings[position];
      found.push({
        ...merged.recipientAt(position),
        phone: msisdn,
        chunk: message.index,
        position,
        text: texts[message.sameText ? 0 : position] ?? '',
        segments: Number.parseInt(message.segments[position] ?? '0', 36),
        encoding: letter === 'g' ? 'gsm7' : letter === 'u' ? 'ucs2' : null,
      });
    }
  }
  return found;
}
