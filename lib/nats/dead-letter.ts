import type { JsMsg } from '@nats-io/jetstream';
import { carriedFrom } from './carried-headers.ts';
import type { Outcome } from './outcome.ts';
import type { Publisher } from './publish.ts';

/** Headers of a dead letter. Its body is the original's, byte for byte, so that it can be published again as it was. */
export const deadHeader = {
  reason: 'Sms-Dead-Reason',
  stream: 'Sms-Dead-Stream',
  subject: 'Sms-Dead-Subject',
  sequence: 'Sms-Dead-Sequence',
  deliveries: 'Sms-Dead-Deliveries',
  storedAt: 'Sms-Dead-Stored-At',
} as const;

export interface DeadLetter {
  /** Where it goes: the stream of the dead letters and a subject in it. */
  stream: string;
  subject: string;
  /** In people's words; kept with the letter. */
  reason: string;
}

/**
 * Stores a message that cannot be handled among the dead letters, and only then says that it is never to come again.
 * A redelivery in between stores it under the same id.
 * @throws when it cannot be stored: then the message has to stay where it is (`nak`).
 */
export async function deadLetter(publisher: Publisher, message: JsMsg, letter: DeadLetter): Promise<Outcome> {
  const { info } = message;
  const result = await publisher.publish({
    stream: letter.stream,
    subject: letter.subject,
    body: message.data,
    // With the time: a restored stream counts its sequences anew.
    msgId: `dead:${info.stream}:${info.streamSequence}:${message.timestampNanos}`,
    headers: {
      ...carriedFrom(message.headers),
      [deadHeader.reason]: letter.reason.slice(0, 1_000),
      [deadHeader.stream]: info.stream,
      [deadHeader.subject]: message.subject,
      [deadHeader.sequence]: String(info.streamSequence),
      [deadHeader.deliveries]: String(info.deliveryCount),
      [deadHeader.storedAt]: message.timestamp,
    },
  });
  if (result.kind !== 'stored' && result.kind !== 'duplicate') {
    throw new Error(
      `the dead letter of ${message.subject} was not stored in ${letter.stream}: ${result.kind}`,
    );
  }
  return { term: letter.reason };
}
