import { JetStreamApiError, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import {
  type DeadLetter,
  type DeadLetterView,
  type DeadListAnswer,
  MAX_SHOWN_BYTES,
} from '../../../contracts/dead-api.ts';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { DEAD_SUBJECTS, deadSubjects, STREAMS } from '../../../contracts/subjects.ts';
import { deadHeader } from '../../../lib/nats/dead-letter.ts';

type Jsm = Pick<JetStreamManager, 'streams' | 'direct'>;

/** Oldest first. */
export async function listLetters(
  jsm: Jsm,
  { stream, limit = 100, cursor = '1' }: { stream?: string; limit?: number; cursor?: string },
): Promise<DeadListAnswer> {
  const next_by_subj = stream === undefined ? DEAD_SUBJECTS : deadSubjects(stream);
  const letters: DeadLetterView[] = [];
  let seq = Number(cursor);
  let more = true;
  while (more && letters.length < limit) {
    const found = await jsm.direct.getMessage(STREAMS.dead, { seq, next_by_subj });
    more = found !== null;
    if (!found) break;
    letters.push(viewOf(found));
    seq = found.seq + 1;
  }
  const { state } = await jsm.streams.info(STREAMS.dead);
  return {
    letters,
    total: state.messages,
    ...(more && seq <= state.last_seq && { nextCursor: String(seq) }),
  };
}

/** Read from the leader: what is decided on it must be there. @throws RefusedError */
export async function findLetter({ streams }: Pick<Jsm, 'streams'>, id: number): Promise<StoredMsg> {
  const found = await streams.getMessage(STREAMS.dead, { seq: id });
  if (found) return found;
  throw noSuchLetter(id);
}

export const noSuchLetter = (id: number) =>
  new RefusedError(
    errorBody('not-found', `There is no dead letter ${id}.`, [
      { field: 'id', value: id, expected: 'an id that sms.api.dead.list shows' },
    ]),
  );

const MESSAGE_NOT_FOUND = new Set([10037, 10043, 10057]);

/** @throws RefusedError where it has gone meanwhile */
export async function removeLetter({ streams }: Pick<Jsm, 'streams'>, id: number): Promise<void> {
  try {
    await streams.deleteMessage(STREAMS.dead, id, false);
  } catch (error) {
    if (error instanceof JetStreamApiError && MESSAGE_NOT_FOUND.has(error.code)) throw noSuchLetter(id);
    throw error;
  }
}

const text = (letter: StoredMsg, header: string): string | null => letter.header.get(header) || null;

export const viewOf = (letter: StoredMsg): DeadLetterView => ({
  id: letter.seq,
  stream: text(letter, deadHeader.stream),
  subject: text(letter, deadHeader.subject),
  reason: text(letter, deadHeader.reason) ?? 'none was given',
  deliveries: Number(text(letter, deadHeader.deliveries)) || null,
  storedAt: text(letter, deadHeader.storedAt),
  buriedAt: letter.time.toISOString(),
  bytes: letter.data.length,
});

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function letterOf(letter: StoredMsg): DeadLetter {
  const shown = letter.data.subarray(0, MAX_SHOWN_BYTES);
  const headers = Object.fromEntries(letter.header.keys().map((name) => [name, letter.header.get(name)]));
  return {
    ...viewOf(letter),
    headers,
    ...readable(shown),
    ...(shown.length < letter.data.length && { truncated: true }),
  };
}

function readable(data: Uint8Array): Pick<DeadLetter, 'body' | 'encoding'> {
  try {
    return { body: utf8.decode(data), encoding: 'utf8' };
  } catch {
    return { body: Buffer.from(data).toString('base64'), encoding: 'base64' };
  }
}
