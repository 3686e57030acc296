import { OUTCOME_LETTERS } from '../../../contracts/outcomes.ts';
import { IN_DOUBT_CODE, resolvedBy } from '../../../lib/journal/resolve-in-doubt.ts';
import { WINDOW_MS, type WindowSizer } from '../../../lib/journal/window-size.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { longMessage, Message } from './message.ts';
import type { OpenChunks } from './open-chunks.ts';
import type { Pacing } from './pacing.ts';
import type { LineUser } from './providers/provider.ts';
import type { Due } from './retry-queue.ts';
import type { Settlement } from './settlement.ts';
import type { WindowShare } from './window-shares.ts';

export interface NextWindowOptions {
  user: LineUser;
  settlement: Settlement;
  chunks: OpenChunks;
  sizer: WindowSizer;
  pacing: Pick<Pacing, 'perSecond'>;
  store: Pick<DeliveryStore, 'receipts' | 'hurryReceipts'>;
}

/**
 * What the next intent is to cover: first what was held back, then what falls due, then what was never sent; in order.
 * @param onlyHeldBack two windows are out already: throttled messages jump the queue, they must not bring a third one
 */
export async function nextWindow(
  options: NextWindowOptions,
  share: Pick<WindowShare, 'fresh' | 'again'>,
  onlyHeldBack: boolean,
): Promise<Message[]> {
  const { user, settlement, chunks, sizer, pacing } = options;
  const { retry, waiting } = settlement;
  const perSecond = pacing.perSecond();
  sizer.limit(perSecond);
  const size = Math.min(sizer.size, share.again);
  const messages = retry.take(size);
  if (onlyHeldBack) return messages;
  if (waiting.nextAtMs <= Date.now() && messages.length < size) {
    messages.push(...(await fallingDue(options, size - messages.length)));
  }
  const atMost = Math.min(size, share.fresh);
  if (messages.length >= atMost || retry.length > 0) return messages;
  // Rates are counted in parts: a window of long texts must not take longer than its intent lives.
  const maxParts = perSecond === null ? Number.POSITIVE_INFINITY : (perSecond * WINDOW_MS) / 1_000;
  let parts = messages.reduce((sum, message) => sum + message.parts, 0);
  // Over the end of a chunk into the next one: a window costs an intent, however small it is.
  for (let chunk = chunks.current(); chunk && messages.length < atMost; chunk = chunks.current()) {
    for (let position = chunk.fresh(); position >= 0 && messages.length < atMost; position = chunk.fresh()) {
      const segments = chunk.segmentsAt(position);
      if (messages.length > 0 && parts + segments > maxParts) return messages;
      messages.push(new Message(user, chunk, position, segments));
      parts += segments;
      chunk.nextFresh = position + 1;
      chunk.out += 1;
    }
  }
  return messages;
}

/** So often a message waits for a receipt to its number that has found no message yet. */
const MOST_PUT_OFF = 3;

/** Messages whose time has come again, save those of which the receipts know meanwhile. */
async function fallingDue(options: NextWindowOptions, atMost: number): Promise<Message[]> {
  const { user, settlement, store } = options;
  const due = settlement.waiting.takeDue(Date.now(), atMost);
  const doubtful = due.filter(({ chunk, entry }) => chunk.outcomes.codeAt(entry.position) === IN_DOUBT_CODE);
  const indexes = [...new Set(doubtful.map(({ chunk }) => chunk.index))];
  // Nobody gets it twice because the answer was lost and the receipt is there.
  const receipts = indexes.length > 0 ? await store.receipts(indexes) : [];
  const knownOf = (each: Due) =>
    doubtful.includes(each)
      ? resolvedBy(
          receipts.find(({ index }) => index === each.chunk.index),
          each.entry.position,
        )
      : undefined;
  const open = doubtful.filter((each) => (each.putOff ?? 0) < MOST_PUT_OFF && !knownOf(each));
  const phoneOf = ({ chunk, entry }: Due) => chunk.phoneAt(entry.position);
  const hurried = open.length > 0 ? await store.hurryReceipts(open.map(phoneOf)) : new Set<string>();
  return due.flatMap((each) => {
    if (open.includes(each) && hurried.has(phoneOf(each))) {
      const notBefore = Date.now() + settlement.putOffMs;
      const putOff = (each.putOff ?? 0) + 1;
      settlement.waiting.add({ chunk: each.chunk, entry: { ...each.entry, notBefore }, putOff });
      return [];
    }
    const message = messageAgain(user, each);
    const known = knownOf(each);
    if (!known) return [message];
    settlement.notResent(message, OUTCOME_LETTERS[known.outcome], known.code ?? '', known.messageId);
    return [];
  });
}

function messageAgain(user: LineUser, { chunk, entry }: Due): Message {
  const message = new Message(user, chunk, entry.position, chunk.segmentsAt(entry.position));
  message.attempts = entry.attempts;
  if (entry.parts) {
    message.long = longMessage(entry.parts, chunk.outcomes.idsAt(entry.position).split(' '));
  }
  chunk.out += 1;
  return message;
}
