import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import { IN_DOUBT_CODE } from '../../lib/journal/resolve-in-doubt.ts';
import type { OutcomeDocument } from '../../lib/store/chunk-documents.ts';
import type { Store } from '../../lib/store/collections.ts';
import { splitColumn } from '../../lib/store/columns.ts';
import type { Candidate, JoinItem } from './join-item.ts';
import type { Joining, JoinRound } from './join-round.ts';

/** Clocks of hosts differ: a receipt may seem older than the sending. */
const CLOCK_SLACK_MS = 60_000;

type Doubted = Pick<
  OutcomeDocument,
  '_id' | 'size' | 'statuses' | 'ids' | 'codes' | 'waiting' | 'sentFromMs'
>;

const PROJECTION = { size: 1, statuses: 1, ids: 1, codes: 1, waiting: 1, sentFromMs: 1 } as const;

/**
 * A message whose answer was lost has no id to compare with, but its receipt says that the carrier had it: a receipt whose
 * id fits nothing belongs to the one message to its number, over its account, that is in doubt. Only once all its parts have
 * theirs, and never where there are two such messages. Stored as a late answer, so that the id is known from then on.
 */
export async function resolveInDoubt(
  round: JoinRound,
  { chunks }: Joining,
  store: Pick<Store, 'outcomes'>,
  items: readonly JoinItem[],
): Promise<void> {
  const waiting = items.filter((item) => !item.joined && item.awaiting && item.text.messageId !== '');
  if (waiting.length === 0) return;
  const ids = new Set(waiting.flatMap((item) => item.awaiting!.map(({ chunk }) => chunk)));
  const found = (await store.outcomes
    .find({ _id: { $in: [...ids] } }, { projection: PROJECTION })
    .toArray()) as Doubted[];
  const documents = new Map(found.map((each) => [each._id, each]));

  const byPlace = new Map<string, { candidate: Candidate; document: Doubted; items: JoinItem[] }>();
  for (const item of waiting) {
    const doubted = item.awaiting!.filter((each) => isInDoubt(documents.get(each.chunk), each, item));
    const candidate = doubted[0];
    if (!candidate || doubted.length > 1) continue;
    const place = `${candidate.chunk} ${candidate.position}`;
    const known = byPlace.get(place);
    if (known) known.items.push(item);
    else byPlace.set(place, { candidate, document: documents.get(candidate.chunk)!, items: [item] });
  }

  for (const { candidate, document, items: own } of byPlace.values()) {
    const chunk = chunks.get(candidate.chunk);
    if (!chunk) continue;
    const { position, parts } = candidate;
    const missing = Math.max(1, parts) - chunk.idCount(position);
    const wanted = [...new Set(own.map((item) => item.text.messageId))].sort().slice(0, missing);
    if (wanted.length < missing || missing <= 0) continue;
    const stored = splitColumn(document.ids, document.size)[position]!;
    const late = chunk.columns.lateAnswerAt(position)?.messageId ?? '';
    const messageId = [stored, late, ...wanted].filter((each) => each !== '').join(' ');
    const atMs = Math.min(...own.map((item) => item.atMs));
    round.answer(chunk, { position, outcome: 'accepted', messageId, atMs });
    for (const item of own) {
      const part = item.partOf(chunk, position);
      if (part !== -1) round.join(chunk, item, position, parts, part);
    }
  }
}

/** Unknown for good, or about to be sent again because its answer was lost: this receipt may still prevent that. */
function isInDoubt(document: Doubted | undefined, { position }: Candidate, { atMs }: JoinItem): boolean {
  if (!document || atMs < (document.sentFromMs ?? 0) - CLOCK_SLACK_MS) return false;
  const status = document.statuses[position];
  if (status === OUTCOME_LETTERS.unknown) return true;
  return (
    status === OUTCOME_LETTERS.pending &&
    document.waiting.some((entry) => entry.position === position) &&
    splitColumn(document.codes, document.size)[position] === IN_DOUBT_CODE
  );
}
