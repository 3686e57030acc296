import type { Candidate, JoinItem } from './join-item.ts';
import type { Joining, JoinRound } from './join-round.ts';

/** Clocks of hosts differ: a receipt may seem older than the sending. */
const CLOCK_SLACK_MS = 60_000;

/**
 * A message whose answer was lost has no id to compare with, but its receipt says that the carrier had it: a receipt whose id
 * fits nothing belongs to the one message to its number, over its account, whose outcome is unknown. Only once all parts
 * have theirs, and never where there are two such messages.
 */
export async function resolveUnknown(
  round: JoinRound,
  { chunks }: Joining,
  items: readonly JoinItem[],
): Promise<void> {
  const byPlace = new Map<string, { candidate: Candidate; items: JoinItem[] }>();
  for (const item of items) {
    if (item.joined || !item.awaiting || item.receipt.messageId === '') continue;
    const unknown = item.awaiting.filter((candidate) => isUnknown(candidate, item));
    const candidate = unknown[0];
    if (!candidate || unknown.length > 1) continue;
    const place = `${candidate.chunk} ${candidate.position}`;
    const known = byPlace.get(place);
    if (known) known.items.push(item);
    else byPlace.set(place, { candidate, items: [item] });
  }

  for (const { candidate, items: own } of byPlace.values()) {
    const chunk = chunks.get(candidate.chunk)!;
    const { position, parts } = candidate;
    const ids = [...new Set(own.map((item) => item.receipt.messageId))].sort();
    if (ids.length + chunk.idCount(position) < parts) continue;
    const wanted = ids.slice(0, Math.max(1, parts - chunk.idCount(position)));
    const atMs = Math.min(...own.map((item) => item.receipt.atMs));
    const messageId = [chunk.columns.lateAnswerAt(position)?.messageId ?? '', ...wanted].join(' ').trim();
    round.answer(chunk, { position, outcome: 'accepted', messageId, atMs });
    for (const item of own) {
      const part = item.partOf(chunk, position);
      if (part !== -1) round.join(chunk, item, position, parts, part);
    }
  }

  function isUnknown({ chunk: id, position, parts }: Candidate, item: JoinItem): boolean {
    const chunk = chunks.get(id);
    if (!chunk?.isUnknown(position) || chunk.idCount(position) >= Math.max(1, parts)) return false;
    return item.receipt.atMs >= (chunk.sentFromMs ?? 0) - CLOCK_SLACK_MS;
  }
}
