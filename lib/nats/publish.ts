import { JetStreamApiError, type ScheduleOptions } from '@nats-io/jetstream';
import { freshHeaders, type HeaderValues } from './carried-headers.ts';
import type { Nats } from './connect.ts';
import { isUnavailable, retryUnavailable } from './unavailable.ts';

export interface Publication {
  subject: string;
  /** An object becomes JSON; text and bytes go as they are. */
  body: object | string | Uint8Array;
  /** Nats-Msg-Id: the same for each try of the same message, another one for anything else. */
  msgId: string;
  /** The stream that has to take it: a subject that another stream owns is an error, not a loss. */
  stream: string;
  /** Stores only if this is the sequence of the last message on the subject (0: if there is none). */
  expectedLastSubjectSequence?: number | undefined;
  headers?: HeaderValues;
  schedule?: ScheduleOptions | undefined;
  /** Removes this schedule in the same step. */
  cancelSchedule?: string | undefined;
  /** For all tries together. */
  deadlineMs?: number;
  /** Ends the tries, not the one under way. */
  signal?: AbortSignal | undefined;
}

export type PublishResult =
  | { kind: 'stored'; seq: number }
  /** Stored before under this message id: by an earlier try, or by whoever else was to publish it. */
  | { kind: 'duplicate'; seq: number }
  /** The subject holds as many messages as it may (10077): for a task, its message is still there. */
  | { kind: 'exists' }
  /** Somebody else wrote on the subject (10071). */
  | { kind: 'conflict'; lastSeq: number | undefined }
  /** The stream's own limit is reached; nothing was stored. */
  | { kind: 'full'; reason: string };

/** A refusal that no retry mends: wrong stream, too large, forbidden, bad schedule. */
export class PublishRefusedError extends Error {
  override readonly name = 'PublishRefusedError';
}

export interface Publisher {
  /**
   * Publishes to JetStream, with the same message id until the server answers.
   * @throws DeadlineError when it did not: the message may be stored or not, and the same id has to be used again.
   * @throws PublishRefusedError
   */
  publish(publication: Publication): Promise<PublishResult>;
}

const wrongLastSequence = 10071;
const storeFailed = 10077;
const outOfStorage = new Set([10002, 10028, 10047]);

/** How long one try may take. Short: a lost acknowledgement is repeated within the caller's deadline. */
const tryMs = 2_000;

export function publisher({
  js,
  jsm,
  refuseWhileAway,
}: Pick<Nats, 'js' | 'jsm' | 'refuseWhileAway'>): Publisher {
  async function publish(publication: Publication): Promise<PublishResult> {
    const { subject, stream, deadlineMs = 10_000, signal } = publication;
    const payload = encode(publication.body);
    return retryUnavailable(
      `publishing ${publication.msgId} on ${subject} (${stream})`,
      async (attempt, remainingMs) => {
        refuseWhileAway();
        try {
          const ack = await js.publish(subject, payload, {
            ...publishOptions(publication),
            timeout: Math.max(1, Math.min(tryMs, remainingMs)),
          });
          return { kind: ack.duplicate ? 'duplicate' : 'stored', seq: ack.seq };
        } catch (error) {
          const result = classify(error);
          if (!result) throw asRefusal(error, publication);
          return attempt > 1 && result.kind === 'conflict' ? await oursOrTheirs(publication, result) : result;
        }
      },
      { deadlineMs, signal, firstMs: 50, capMs: 1_000 },
    );
  }

  /**
   * On one node the retry after a lost acknowledgement is a conflict with our own first try: the sequence has moved. Then
   * the last message on the subject carries our id. Read from the leader: a replica may be seconds behind.
   */
  async function oursOrTheirs(publication: Publication, conflict: PublishResult): Promise<PublishResult> {
    const last = await jsm.streams.getMessage(publication.stream, { last_by_subj: publication.subject });
    if (last?.header.get('Nats-Msg-Id') !== publication.msgId) return conflict;
    return { kind: 'duplicate', seq: last.seq };
  }

  return { publish };
}

function publishOptions(publication: Publication) {
  const { msgId, stream, expectedLastSubjectSequence, schedule, cancelSchedule } = publication;
  return {
    msgID: msgId,
    headers: freshHeaders(publication.headers),
    expect: {
      streamName: stream,
      ...(expectedLastSubjectSequence !== undefined && { lastSubjectSequence: expectedLastSubjectSequence }),
    },
    ...(schedule && { schedule }),
    ...(cancelSchedule && { cancelSchedule: { scheduleSubject: cancelSchedule } }),
  };
}

function encode(body: Publication['body']): string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
}

function classify(error: unknown): PublishResult | undefined {
  if (!(error instanceof JetStreamApiError)) return undefined;
  if (error.code === wrongLastSequence) {
    const seq = /(\d+)$/.exec(error.message)?.[1];
    return { kind: 'conflict', lastSeq: seq === undefined ? undefined : Number(seq) };
  }
  if (error.code === storeFailed) {
    // One code for every limit of the stream; only the words tell them apart.
    if (/per subject/.test(error.message)) return { kind: 'exists' };
    if (/^maximum (messages|bytes)/.test(error.message)) return { kind: 'full', reason: error.message };
  }
  if (outOfStorage.has(error.code)) return { kind: 'full', reason: error.message };
  return undefined;
}

function asRefusal(error: unknown, { subject, stream }: Publication): unknown {
  const isAnswer = error instanceof JetStreamApiError || (error as Error).name === 'InvalidArgumentError';
  // What may work on another try keeps its class: retryUnavailable asks it.
  if (!isAnswer || isUnavailable(error)) return error;
  return new PublishRefusedError(`${stream} refused a message on ${subject}: ${(error as Error).message}`, {
    cause: error,
  });
}
