import type { Store } from '../../lib/store/collections.ts';
import { splitColumn } from '../../lib/store/columns.ts';

/** What is stored of one message that a receipt may be of. */
export interface Recorded {
  msisdn: string;
  text: string;
  /** OUTCOME_LETTERS. */
  status: string;
  /** As the sender stored them, joined by a space. */
  ids: string;
  code: string;
  /** To be sent again. */
  waits: boolean;
  sentFromMs: number;
}

interface Position {
  chunk: string;
  position: number;
}

/** Few enough that the texts of their chunks fit in memory. */
const CHUNKS_A_READ = 50;

export const doubtKey = ({ chunk, position }: Position): string => `${chunk} ${position}`;

/** By `doubtKey`. What has no outcome document was never sent, and is left out. */
export async function readRecorded(
  { outcomes, messageChunks }: Pick<Store, 'outcomes' | 'messageChunks'>,
  wanted: readonly Position[],
): Promise<Map<string, Recorded>> {
  const positions = new Map<string, Set<number>>();
  for (const { chunk, position } of wanted) {
    const known = positions.get(chunk);
    if (known) known.add(position);
    else positions.set(chunk, new Set([position]));
  }
  const ids = [...positions.keys()];
  const recorded = new Map<string, Recorded>();
  for (let at = 0; at < ids.length; at += CHUNKS_A_READ) {
    const filter = { _id: { $in: ids.slice(at, at + CHUNKS_A_READ) } };
    const [stored, messages] = await Promise.all([
      outcomes
        .find(filter, {
          projection: { size: 1, statuses: 1, ids: 1, codes: 1, waiting: 1, sentFromMs: 1 },
        })
        .toArray(),
      messageChunks.find(filter, { projection: { phones: 1, texts: 1, sameText: 1, size: 1 } }).toArray(),
    ]);
    const messagesOf = new Map(messages.map((each) => [each._id, each]));
    for (const outcome of stored) {
      const chunk = messagesOf.get(outcome._id);
      if (!chunk) continue;
      const phones = splitColumn(chunk.phones, chunk.size);
      const texts = splitColumn(chunk.texts, chunk.sameText ? 1 : chunk.size);
      const messageIds = splitColumn(outcome.ids, outcome.size);
      const codes = splitColumn(outcome.codes, outcome.size);
      for (const position of positions.get(outcome._id)!) {
        recorded.set(doubtKey({ chunk: outcome._id, position }), {
          msisdn: phones[position]!,
          text: texts[chunk.sameText ? 0 : position]!,
          status: outcome.statuses[position]!,
          ids: messageIds[position]!,
          code: codes[position]!,
          waits: outcome.waiting.some((entry) => entry.position === position),
          sentFromMs: outcome.sentFromMs ?? 0,
        });
      }
    }
  }
  return recorded;
}
