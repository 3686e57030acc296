import { parseChunkId, taskId } from '../../contracts/ids.ts';
import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import { IN_DOUBT_CODE } from '../../lib/journal/resolve-in-doubt.ts';
import type { Store } from '../../lib/store/collections.ts';
import { place } from '../../lib/store/task-document.ts';
import { contradicts } from './contradicts.ts';
import { doubtKey, type Recorded, readRecorded } from './doubt-records.ts';
import { type Candidate, digitsOf, type JoinItem } from './join-item.ts';
import type { Joining, JoinRound } from './join-round.ts';
import type { ReceiptChunk } from './receipt-chunk.ts';

type DoubtStore = Pick<Store, 'outcomes' | 'messageChunks' | 'tasks'>;

/**
 * A message whose answer was lost has no id to compare with, but its receipt says that the carrier had it: a receipt whose
 * id fits nothing belongs to the one message to its number, over its account, that is in doubt and that it does not
 * contradict. Only once all its parts have theirs; never where there are two such messages, nor while another one to the same
 * number may have been sent whose answer is still to be stored. Stored as a late answer, so that the id is known from then on.
 * @returns how many messages are not in doubt any more
 */
export async function resolveInDoubt(
  round: JoinRound,
  { chunks, directory }: Joining,
  store: DoubtStore,
  items: readonly JoinItem[],
): Promise<number> {
  const waiting = items.filter((item) => !item.joined && item.awaiting && item.text.messageId !== '');
  if (waiting.length === 0) return 0;
  const candidates = waiting.flatMap((item) => item.awaiting!);
  const known = [...new Set(candidates.map(({ chunk }) => chunk))].flatMap((id) => chunks.get(id) ?? []);
  // Another process may have resolved some of them meanwhile.
  await chunks.reread(known.filter((chunk) => !chunk.columns.changed));
  // Before the outcomes: what was sent before its receipt came is authorised here, or stored there.
  const authorised = await authorisedPlaces(store, known);
  const recorded = await readRecorded(store, candidates);

  const byPlace = new Map<string, { candidate: Candidate; items: JoinItem[] }>();
  for (const item of waiting) {
    const candidate = ownerOf(item);
    if (!candidate) continue;
    const same = byPlace.get(doubtKey(candidate));
    if (same) same.items.push(item);
    else byPlace.set(doubtKey(candidate), { candidate, items: [item] });
  }
  let resolved = 0;
  for (const { candidate, items: own } of byPlace.values()) if (resolve(candidate, own)) resolved += 1;
  return resolved;

  /** The only message that the receipt can be of; undefined: there is none, or more than one, or it is too early to say. */
  function ownerOf(item: JoinItem): Candidate | undefined {
    const receipt = item.text;
    const possible = item.awaiting!.filter((each) => {
      const record = recorded.get(doubtKey(each));
      const chunk = chunks.get(each.chunk);
      if (!record || !chunk || record.msisdn !== digitsOf(receipt.msisdn)) return false;
      if (chunk.provider !== undefined && chunk.provider !== item.provider) return false;
      if (!mayBeOwner(each, record, chunk)) return false;
      const { batchId, incarnation } = parseChunkId(each.chunk)!;
      const { sender } = directory.life(`${batchId}.${incarnation}`) ?? {};
      return !contradicts(receipt, { ...record, sender });
    });
    const [only] = possible;
    if (!only || possible.length > 1) return undefined;
    return isInDoubt(recorded.get(doubtKey(only))!) ? only : undefined;
  }

  /** In doubt, or sent with an answer that nobody has stored yet. */
  function mayBeOwner(candidate: Candidate, record: Recorded, chunk: ReceiptChunk): boolean {
    const { position, parts } = candidate;
    if (isInDoubt(record)) {
      const late = chunk.columns.lateAnswerAt(position);
      return late?.outcome !== 'rejected' && chunk.idCount(position) < Math.max(1, parts);
    }
    // Stored since it was compared: the next look compares it with its id.
    if (record.status !== OUTCOME_LETTERS.pending && record.status !== OUTCOME_LETTERS.inFlight) return true;
    return place(parseChunkId(candidate.chunk)!.index, position) < (authorised.get(candidate.chunk) ?? 0);
  }

  function resolve({ chunk: id, position, parts }: Candidate, own: readonly JoinItem[]): boolean {
    const chunk = chunks.get(id)!;
    const missing = Math.max(1, parts) - chunk.idCount(position);
    const byArrival = [...own].sort(
      (a, b) => a.atMs - b.atMs || (a.text.messageId < b.text.messageId ? -1 : 1),
    );
    const wanted = [...new Set(byArrival.map((item) => item.text.messageId))].slice(0, missing);
    if (wanted.length < missing) return false;
    const { ids: stored } = recorded.get(doubtKey({ chunk: id, position }))!;
    const late = chunk.columns.lateAnswerAt(position)?.messageId ?? '';
    // Of a long message some parts may have been answered: those have their ids.
    const ids = [...stored.split(' '), ...late.split(' '), ...wanted].filter((each) => each !== '');
    const messageId = [...new Set(ids)].join(' ');
    round.answer(chunk, { position, outcome: 'accepted', messageId, atMs: byArrival[0]!.atMs });
    for (const item of own) {
      const part = item.partOf(chunk, position);
      if (part !== -1) round.join(chunk, item, position, parts, part);
    }
    return true;
  }
}

/** Unknown for good, or about to be sent again because its answer was lost: this receipt may still prevent that. */
const isInDoubt = ({ status, waits, code }: Recorded): boolean =>
  status === OUTCOME_LETTERS.unknown ||
  (status === OUTCOME_LETTERS.pending && waits && code === IN_DOUBT_CODE);

/** By chunk: below which place its task, while it is out, may have sent what nobody has stored. */
async function authorisedPlaces(
  { tasks }: Pick<Store, 'tasks'>,
  chunks: readonly ReceiptChunk[],
): Promise<Map<string, number>> {
  const taskOf = new Map(
    chunks.map(({ id, task }) => {
      const { batchId, incarnation } = parseChunkId(id)!;
      return [id, taskId(batchId, incarnation, 'delivery', task)];
    }),
  );
  const out = await tasks
    .find({ _id: { $in: [...new Set(taskOf.values())] }, out: true }, { projection: { authorisedTo: 1 } })
    .toArray();
  const byTask = new Map(out.map(({ _id, authorisedTo }) => [_id, authorisedTo]));
  return new Map([...taskOf].map(([id, task]) => [id, byTask.get(task) ?? 0]));
}
