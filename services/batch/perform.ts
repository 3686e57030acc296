import type { JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { lifeId } from '../../contracts/ids.ts';
import { batchTimer, commandSubject, eventSubject, STREAMS, stepSubject } from '../../contracts/subjects.ts';
import { carriedFrom } from '../../lib/nats/carried-headers.ts';
import type { Publication, Publisher } from '../../lib/nats/publish.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { Effect } from '../../lib/store/effects.ts';
import { changeRate, issueTasks } from '../../lib/tasks/issue.ts';
import { reissueTasks } from '../../lib/tasks/reissue.ts';
import { tasksOutOf } from '../../lib/tasks/tasks-out.ts';
import { bringInStep } from '../../lib/timers/timer.ts';

import { dueTimeOf } from './decide/wake.ts';

export interface PerformDeps {
  store: Store;
  publisher: Publisher;
  jsm: JetStreamManager;
}

type Message = Pick<Publication, 'subject' | 'stream' | 'body'>;

/** Carries out an outbox: task documents first, then the messages, each under an id made of the outbox's key. */
export async function perform(
  { store, publisher, jsm }: PerformDeps,
  doc: BatchDocument | undefined,
  effects: readonly Effect[],
  key: string,
  cause?: JsMsg,
): Promise<void> {
  const tasks = effects.filter((effect) => effect.kind === 'task');
  const tasksThat = (were: boolean) =>
    tasks.filter(({ again = false }) => again === were).map(({ task }) => task);
  await issueTasks(store.tasks, tasksThat(false), doc?.definition.ratePerSecond ?? null, doc?.updatedAt ?? 0);
  if (doc) await reissueTasks(store, tasksThat(true), doc);
  for (const effect of effects) {
    if (effect.kind === 'rate' && doc) {
      await changeRate(store.tasks, tasksOutOf(doc), effect.ratePerSecond);
    }
  }
  if (doc && effects.some(({ kind }) => kind === 'timer'))
    await keepTimer({ store, publisher, jsm }, doc._id);
  const headers = carriedFrom(cause?.headers);
  const prefix = doc ? `${lifeId(doc._id, doc.incarnation)}:${key}` : key;
  // Written in order on one connection, so stored in order; only the acknowledgements are awaited together.
  await Promise.all(
    effects.map(async (effect, index) => {
      const message = messageOf(effect);
      if (!message) return;
      const publication = { ...message, msgId: `${prefix}.${index}`, headers };
      if (effect.kind === 'event' && effect.event === 'ended') await announceEnd(publication);
      else await publishFully(publication);
    }),
  );

  async function publishFully(publication: Publication): Promise<void> {
    const result = await publisher.publish(publication);
    // `exists`: the task's message is still there, nothing to add. `full` is the broker's trouble: the turn is repeated.
    if (result.kind === 'full') throw new StreamFullError(publication.stream, result.reason);
  }

  /** One end a life: published where no end stands on the subject, or only that of an earlier life. */
  async function announceEnd(publication: Publication): Promise<void> {
    const first = await publisher.publish({ ...publication, expectedLastSubjectSequence: 0 });
    if (first.kind !== 'conflict') return;
    const last = await jsm.streams.getMessage(STREAMS.events, { last_by_subj: publication.subject });
    if (!last || last.json<{ incarnation?: string }>().incarnation === doc?.incarnation) return;
    await publisher.publish({ ...publication, expectedLastSubjectSequence: last.seq });
  }
}

/** The timer of a Scheduled batch, as its document says now: an outbox published late must not arm an older one. */
const keepTimer = ({ store, publisher, jsm }: PerformDeps, id: string): Promise<void> =>
  bringInStep({ jsm, publisher }, batchTimer(id), async () => {
    const doc = await store.batches.findOne(
      { _id: id },
      { projection: { state: 1, deletedAt: 1, 'definition.scheduleTime': 1 } },
    );
    const atMs = dueTimeOf(doc ?? undefined);
    return atMs === undefined ? undefined : { atMs, body: { dueAt: atMs } };
  });

function messageOf(effect: Effect): Message | undefined {
  switch (effect.kind) {
    case 'task': {
      const { step, batchId, task, epoch } = effect.task;
      return { subject: stepSubject(step, batchId, task, epoch), stream: STREAMS.steps, body: effect.task };
    }
    case 'event':
      return {
        subject: eventSubject(effect.body.batchId, effect.event),
        stream: STREAMS.events,
        body: effect.body,
      };
    case 'command':
      return {
        subject: commandSubject(effect.batchId, effect.verb),
        stream: STREAMS.commands,
        body: effect.body,
      };
    case 'rate':
    case 'timer':
      return undefined;
  }
}

/** A stream of ours is full: nothing is lost, the turn is repeated until there is room. */
export class StreamFullError extends Error {
  override readonly name = 'StreamFullError';

  constructor(stream: string, reason: string) {
    super(`${stream} takes no more messages: ${reason}`);
  }
}
