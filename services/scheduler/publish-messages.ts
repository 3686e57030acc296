import { headers as natsHeaders } from '@nats-io/transport-node';
import { STREAMS } from '../../contracts/subjects.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { type Publisher, PublishRefusedError } from '../../lib/nats/publish.ts';
import type { RunMessage } from './schedule-document.ts';

export interface PublishDeps {
  nats: Nats;
  publisher: Publisher;
}

/** For all tries together: short of the server's duplicate window, within which a message twice is one. */
const DEADLINE_MS = 30_000;

const OURS = new Set<string>(Object.values(STREAMS));

/** Nobody would take what a run was to publish; trying again would not help. */
export class NotTakenError extends Error {
  override readonly name = 'NotTakenError';
}

/**
 * Publishes what was decided, each under an id of its own.
 * @throws NotTakenError; another error when a server does not answer: then all of it is published again later
 */
export async function publishMessages(deps: PublishDeps, messages: readonly RunMessage[]): Promise<void> {
  await Promise.all(messages.map((message) => publishOne(deps, message)));
}

async function publishOne({ nats, publisher }: PublishDeps, message: RunMessage): Promise<void> {
  const { subject, stream, body, msgId, headers } = message;
  if (stream === null) {
    const own = natsHeaders();
    for (const [name, value] of Object.entries({ ...headers, 'Nats-Msg-Id': msgId })) own.set(name, value);
    nats.refuseWhileAway();
    nats.nc.publish(subject, typeof body === 'string' ? body : JSON.stringify(body), { headers: own });
    return;
  }
  try {
    const result = await publisher.publish({
      subject,
      stream,
      body,
      msgId,
      deadlineMs: DEADLINE_MS,
      ...(headers && { headers }),
    });
    if (result.kind !== 'full') return;
    const reason = `${stream} takes no more messages: ${result.reason}`;
    // Of our own streams there is room again soon, and a campaign is not lost meanwhile.
    throw OURS.has(stream) ? new Error(reason) : new NotTakenError(reason);
  } catch (error) {
    if (error instanceof PublishRefusedError) throw new NotTakenError(error.message);
    throw error;
  }
}
