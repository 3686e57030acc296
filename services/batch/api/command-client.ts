import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { createInbox } from '@nats-io/transport-node';
import type { BatchView, CommandReply } from '../../../contracts/batch-api.ts';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { commandSubject, HEADERS, STREAMS } from '../../../contracts/subjects.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';
import type { RequestMeta } from '../../../lib/nats/micro.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';

/** A turn is over in milliseconds; a partition whose holder has just died stands still for `ack_wait`. */
const REPLY_MS = 12_000;

export interface CommandClient extends Part {
  /**
   * Sends a command and answers after the actor's turn.
   * @throws RefusedError with the actor's reason, or `timeout`: stored, but its turn did not come in time.
   */
  send(batchId: string, verb: string, body: Record<string, unknown>, meta: RequestMeta): Promise<BatchView>;
}

/** One subscription for the replies to all commands of this host. */
export function commandClient(nc: NatsConnection, publisher: Publisher): CommandClient {
  const inbox = createInbox();
  const waiting = new Map<string, (reply: CommandReply) => void>();
  let counter = 0;

  const running = part('command replies', ({ defer }) => {
    const subscription: Subscription = nc.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error) return;
        const token = message.subject.slice(inbox.length + 1);
        waiting.get(token)?.(message.json<CommandReply>());
      },
    });
    defer(() => subscription.unsubscribe());
  });

  async function send(
    batchId: string,
    verb: string,
    body: Record<string, unknown>,
    meta: RequestMeta,
  ): Promise<BatchView> {
    const token = (++counter).toString(36);
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<CommandReply>((resolve) => {
      waiting.set(token, resolve);
      timer = setTimeout(
        () =>
          resolve({
            ok: false,
            error: errorBody(
              'timeout',
              `The ${verb} of ${batchId} is stored; its turn did not come in time.`,
            ),
          }),
        REPLY_MS,
      );
    });
    try {
      const stored = await publisher.publish({
        subject: commandSubject(batchId, verb),
        stream: STREAMS.commands,
        msgId: `${verb}:${batchId}:${meta.requestId}:${token}:${inbox}`,
        body: { ...body, requestId: meta.requestId },
        headers: { ...meta.headers, [HEADERS.replyTo]: `${inbox}.${token}` },
      });
      if (stored.kind === 'full')
        throw new RefusedError(errorBody('overloaded', `The command stream is full: ${stored.reason}`));
      const reply = await answered;
      if (!reply.ok) throw new RefusedError(reply.error);
      return reply.batch;
    } finally {
      clearTimeout(timer);
      waiting.delete(token);
    }
  }

  return { ...running, send };
}
