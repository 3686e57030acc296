import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { commandSubject, parseCommandSubject, STREAMS } from '../../../contracts/subjects.ts';
import { carriedFrom } from '../../../lib/nats/carried-headers.ts';
import { deadHeader } from '../../../lib/nats/dead-letter.ts';
import { type Publisher, PublishRefusedError } from '../../../lib/nats/publish.ts';
import { findLetter, removeLetter } from './letters.ts';

/**
 * Publishes a dead letter again, body as it was, and removes it once its stream has it. A crash between the two leaves the
 * letter; replayed again within two minutes it is the same message.
 * @returns the subject
 * @throws RefusedError with what keeps it
 */
export async function replayLetter(
  { jsm, publisher }: { jsm: Pick<JetStreamManager, 'streams'>; publisher: Publisher },
  id: number,
): Promise<string> {
  const letter = await findLetter(jsm, id);
  const { stream, subject } = originOf(letter);
  const result = await publisher
    .publish({
      stream,
      subject,
      body: letter.data,
      msgId: `replay:${id}:${letter.time.getTime()}`,
      headers: carriedFrom(letter.header),
    })
    .catch((error) => {
      if (!(error instanceof PublishRefusedError)) throw error;
      throw refuse(letter, error.message);
    });
  switch (result.kind) {
    case 'stored':
    case 'duplicate':
      await removeLetter(jsm, id).catch((error) => {
        // Somebody has dropped it in between: it is replayed all the same.
        if (!(error instanceof RefusedError)) throw error;
      });
      return subject;
    case 'exists':
    case 'conflict':
      throw new RefusedError(
        errorBody('state-forbids', `A message on ${subject} is still waiting in ${stream}.`),
      );
    case 'full':
      throw new RefusedError(errorBody('overloaded', `${stream} takes no more messages: ${result.reason}`));
  }
}

const STREAMS_WITH_ORIGINALS = new Set<string>(
  Object.values(STREAMS).filter((name) => name !== STREAMS.dead),
);

function originOf(letter: StoredMsg): { stream: string; subject: string } {
  const stream = letter.header.get(deadHeader.stream);
  const subject = letter.header.get(deadHeader.subject);
  if (!STREAMS_WITH_ORIGINALS.has(stream) || !subject.startsWith('sms.')) {
    throw refuse(letter, `it does not say where it came from (${deadHeader.stream}, ${deadHeader.subject})`);
  }
  if (stream !== STREAMS.commands) return { stream, subject };
  // What lay in the stream has a partition token, which the stream puts in itself.
  const command = parseCommandSubject(subject);
  if (!command) throw refuse(letter, `"${subject}" is no subject of a command`);
  return { stream, subject: commandSubject(command.batchId, command.verb) };
}

const refuse = ({ seq }: StoredMsg, why: string) =>
  new RefusedError(errorBody('invalid', `Dead letter ${seq} cannot be replayed: ${why}.`));
