import type { Logger } from 'pino';
import {
  DEAD_API,
  DeadDropAnswer,
  DeadLetter,
  DeadListAnswer,
  DeadReplayAnswer,
} from '../../../contracts/dead-api.ts';
import { type ErrorBody, RefusedError } from '../../../contracts/errors.ts';
import type { Nats } from '../../../lib/nats/connect.ts';
import { type ApiEndpoint, endpoint } from '../../../lib/nats/micro.ts';
import type { Publisher } from '../../../lib/nats/publish.ts';
import type { WatcherMetrics } from '../metrics.ts';
import { findLetter, letterOf, listLetters, removeLetter } from './letters.ts';
import { replayLetter } from './replay.ts';

export interface DeadDeps {
  nats: Pick<Nats, 'jsm'>;
  publisher: Publisher;
  metrics: WatcherMetrics;
  log: Logger;
}

/** `sms.api.dead.*`. */
export function deadEndpoints({ nats: { jsm }, publisher, metrics, log }: DeadDeps): ApiEndpoint[] {
  return [
    endpoint({
      noun: 'dead',
      verb: 'list',
      description: 'Messages that could not be handled, with the reason, oldest first',
      request: DEAD_API.list,
      response: DeadListAnswer,
      handler: (query) => listLetters(jsm, query),
    }),
    endpoint({
      noun: 'dead',
      verb: 'get',
      description: 'One dead letter with its body and headers',
      request: DEAD_API.get,
      response: DeadLetter,
      handler: async ({ id }) => letterOf(await findLetter(jsm, id)),
    }),
    endpoint({
      noun: 'dead',
      verb: 'replay',
      description: 'Publishes dead letters again, as they were',
      request: DEAD_API.replay,
      response: DeadReplayAnswer,
      handler: async ({ ids, operatorId, reason }, { requestId }) => {
        const replayed: DeadReplayAnswer['replayed'] = [];
        const refused = await each(ids, async (id) => {
          const subject = await replayLetter({ jsm, publisher }, id);
          log.info({ id, subject, operatorId, reason, requestId }, 'a dead letter is replayed');
          metrics.letters.inc({ end: 'replayed' });
          replayed.push({ id, subject });
        });
        return { replayed, refused };
      },
    }),
    endpoint({
      noun: 'dead',
      verb: 'drop',
      description: 'Removes dead letters for good',
      request: DEAD_API.drop,
      response: DeadDropAnswer,
      handler: async ({ ids, operatorId, reason }, { requestId }) => {
        const dropped: number[] = [];
        const refused = await each(ids, async (id) => {
          await removeLetter(jsm, id);
          log.info({ id, operatorId, reason, requestId }, 'a dead letter is dropped');
          metrics.letters.inc({ end: 'dropped' });
          dropped.push(id);
        });
        return { dropped, refused };
      },
    }),
  ];
}

/** One after the other, in order. @returns those that were refused; any other error ends it */
async function each(
  ids: readonly number[],
  work: (id: number) => Promise<void>,
): Promise<{ id: number; error: ErrorBody }[]> {
  const refused: { id: number; error: ErrorBody }[] = [];
  for (const id of new Set(ids)) {
    try {
      await work(id);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      refused.push({ id, error: error.body });
    }
  }
  return refused;
}
