import { chunkId, lifeId } from '../../contracts/ids.ts';
import { OUTCOME_OF_LETTER, type Outcome, type OutcomeLetter } from '../../contracts/outcomes.ts';
import type { Store } from '../store/collections.ts';
import { splitColumn } from '../store/columns.ts';
import { type MergedChunk, mergeOutcomes, type RecipientOutcome } from '../store/merge-outcomes.ts';

export interface Life {
  batchId: string;
  incarnation: string;
}

export interface ChunkOfRecipients {
  index: number;
  /** As stored: MSISDN digits, or `!<code> <as it was written>` for an invalid number. */
  phones: string[];
  texts(): string[];
  outcomes: MergedChunk;
}

/** Chunks read at once: a few megabytes at most, whatever the size of the batch. */
const CHUNKS_A_READ = 16;

/**
 * The recipients of a batch, chunk by chunk from `fromIndex` on, outcomes and receipts merged. Memory is bounded by a
 * few chunks. Chunks that were not prepared yet are not there.
 */
export async function* eachChunk(
  store: Store,
  { batchId, incarnation }: Life,
  fromIndex = 0,
): AsyncGenerator<ChunkOfRecipients> {
  const partition = await store.partitions.findOne(
    { _id: lifeId(batchId, incarnation) },
    { projection: { chunks: 1 } },
  );
  const end = partition?.chunks ?? 0;
  for (let index = fromIndex; index < end; index += CHUNKS_A_READ) {
    const indexes = Array.from({ length: Math.min(CHUNKS_A_READ, end - index) }, (_, i) => index + i);
    const ids = indexes.map((each) => chunkId(batchId, incarnation, each));
    const [messages, outcomes, receipts] = await Promise.all([
      store.messageChunks.find({ _id: { $in: ids } }).toArray(),
      store.outcomes.find({ _id: { $in: ids } }).toArray(),
      store.receipts.find({ _id: { $in: ids } }).toArray(),
    ]);
    const outcomeOf = new Map(outcomes.map((each) => [each._id, each]));
    const receiptOf = new Map(receipts.map((each) => [each._id, each]));
    for (const message of messages.sort((left, right) => left.index - right.index)) {
      const outcome = outcomeOf.get(message._id);
      if (!outcome) continue;
      yield {
        index: message.index,
        phones: splitColumn(message.phones, message.size),
        texts: () =>
          message.sameText
            ? new Array<string>(message.size).fill(splitColumn(message.texts, 1)[0] ?? '')
            : splitColumn(message.texts, message.size),
        outcomes: mergeOutcomes(outcome, receiptOf.get(message._id)),
      };
    }
  }
}

export interface Recipient extends RecipientOutcome {
  phone: string;
  chunk: number;
  position: number;
}

/** Every recipient of one of the outcomes (of all, without a list). */
export async function* eachRecipient(
  store: Store,
  life: Life,
  options: { outcomes?: readonly Outcome[]; from?: { chunk: number; position: number } } = {},
): AsyncGenerator<Recipient> {
  const { outcomes, from } = options;
  for await (const chunk of eachChunk(store, life, from?.chunk ?? 0)) {
    const first = chunk.index === from?.chunk ? from.position : 0;
    for (let position = first; position < chunk.phones.length; position++) {
      const outcome = OUTCOME_OF_LETTER[chunk.outcomes.statuses[position] as OutcomeLetter];
      if (outcomes && !outcomes.includes(outcome)) continue;
      yield {
        ...chunk.outcomes.recipientAt(position),
        phone: chunk.phones[position]!,
        chunk: chunk.index,
        position,
      };
    }
  }
}
