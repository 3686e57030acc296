import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { createInbox } from '@nats-io/transport-node';
import type { BatchView, CommandReply } from '../../contracts/batch-api.ts';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import { commandSubject, HEADERS, STREAMS } from '../../contracts/subjects.ts';
import { type Part, part } from '../lifecycle/part.ts';
import type { RequestMeta } from '../nats/micro.ts';
import type { Publication, Publisher } from '../nats/publish.ts';

/** A turn is over in milliseconds; a partition whose holder has just died stands still for `ack_wait`. */
const REPLY_MS = 12_000;

export type Heard =
  | { kind: 'replied'; reply: CommandReply }
  /** Stored, now or by an earlier try; its turn did not come in time, or its reply went elsewhere. Events will tell. */
  | { kind: 'stored' }
  /** The command stream takes no more. */
  | { kind: 'full'; reason: string };

export interface CommandClient extends Part {
  /**
   * Sends a command and answers after the actor's turn.
   * @throws RefusedError with the actor's reason, or `timeout`: stored, but its turn did not come in time.
   */
  send(batchId: string, verb: string, body: Record<string, unknown>, meta: RequestMeta): Promise<BatchView>;
  /** Publishes a command under the sender's own message id, and waits that long for what becomes of it. */
  publishAndHear(command: Publication, replyMs: number): Promise<Heard>;
}

/** One subscription for the replies to all commands of this host. */
export function commandClient(nc: NatsConnection, publisher: Publisher): CommandClient {
  const inbox = createInbox();
  const waiting = new Map<string, (reply: CommandReply) => void>();
  let counter = 0;
  const newToken = () => (++counter).toString(36);

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

  async function hear(command: Publication, token: string, replyMs: number): Promise<Heard> {
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<Heard>((resolve) => {
      waiting.set(token, (reply) => resolve({ kind: 'replied', reply }));
      timer = setTimeout(() => resolve({ kind: 'stored' }), replyMs);
    });
    try {
      const headers = { ...command.headers, [HEADERS.replyTo]: `${inbox}.${token}` };
      const result = await publisher.publish({ ...command, headers });
      if (result.kind === 'full') return result;
      // The reply to an earlier try has gone to whoever made it.
      if (result.kind === 'duplicate') return { kind: 'stored' };
      return await answered;
    } finally {
      clearTimeout(timer);
      waiting.delete(token);
    }
  }

  async function send(
    batchId: string,
    verb: string,
    body: Record<string, unknown>,
    meta: RequestMeta,
  ): Promise<BatchView> {
    const token = newToken();
    const command = {
      subject: commandSubject(batchId, verb),
      stream: STREAMS.commands,
      msgId: `${verb}:${batchId}:${meta.requestId}:${token}:${inbox}`,
      body: { ...body, requestId: meta.requestId },
      headers: meta.headers,
    };
    const heard = await hear(command, token, REPLY_MS);
    switch (heard.kind) {
      case 'full':
        throw new RefusedError(errorBody('overloaded', `The command stream is full: ${heard.reason}`));
      case 'stored':
        throw new RefusedError(
          errorBody('timeout', `The ${verb} of ${batchId} is stored; its turn did not come in time.`),
        );
      case 'replied':
        if (!heard.reply.ok) throw new RefusedError(heard.reply.error);
        return heard.reply.batch;
    }
  }

  return {
    ...running,
    send,
    publishAndHear: (command, replyMs) => hear(command, newToken(), replyMs),
  };
}
