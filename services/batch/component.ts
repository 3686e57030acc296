import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { CommandReply } from '../../contracts/batch-api.ts';
import { errorBody } from '../../contracts/errors.ts';
import { partitionConsumers } from '../../contracts/streams.ts';
import { deadSubject, HEADERS, STREAMS } from '../../contracts/subjects.ts';
import { publishedMarks } from '../../lib/actor/published-marks.ts';
import { takeTurn } from '../../lib/actor/take-turn.ts';
import { commandClient } from '../../lib/batch/command-client.ts';
import { type Part, part, together } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import { ensureIndexes } from '../../lib/mongo/indexes.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { pullLoop } from '../../lib/nats/pull-loop.ts';
import { ensureConsumer } from '../../lib/nats/streams.ts';
import type { StatusDeps } from '../../lib/stats/read-status.ts';
import type { Store } from '../../lib/store/collections.ts';
import { STORE_INDEXES } from '../../lib/store/indexes.ts';
import { batchEndpoints } from './api/endpoints.ts';
import { loadShedding } from './api/load-shedding.ts';
import { batchActor } from './behaviour.ts';
import { batchMetrics } from './metrics.ts';

export interface BatchDeps {
  nats: Nats;
  store: Store;
  status: StatusDeps;
  registry: Registry;
  log: Logger;
  version: string;
}

/** Consumes the partitions of SMS_COMMANDS, one actor's turn a command; serves `sms.api.batch.*`. The watcher sweeps. */
export function startBatch(deps: BatchDeps): Part {
  const { nats, store, registry, log, version } = deps;
  const { nc, jsm } = nats;
  return part('batch', async ({ run }) => {
    await ensureIndexes(store.db, STORE_INDEXES);
    const consumers = partitionConsumers();
    for (const { stream, ...consumer } of consumers) await ensureConsumer(jsm, stream, consumer);

    const publisher = publisherOf(nats);
    const metrics = batchMetrics(registry);
    const marks = await run(publishedMarks(store.batches, log));
    const actor = batchActor({ nc, jsm, store, publisher, metrics, log });
    const bury = async (message: JsMsg, reason: string) => {
      const outcome = await deadLetter(publisher, message, {
        stream: STREAMS.dead,
        subject: deadSubject(STREAMS.commands, message.subject),
        reason,
      });
      // Who asked would wait for a turn that never comes.
      const replyTo = message.headers?.get(HEADERS.replyTo);
      const error = errorBody('internal', `The command could not be handled and lies in ${STREAMS.dead}.`);
      if (replyTo) nc.publish(replyTo, JSON.stringify({ ok: false, error } satisfies CommandReply));
      return outcome;
    };
    const onRefused = () => metrics.turnsRefused.inc();
    const loops = consumers.map(({ stream, ...consumer }) =>
      pullLoop({
        nats,
        stream,
        consumer: consumer.durable_name,
        log,
        ensure: () => ensureConsumer(jsm, stream, consumer),
        handle: async (message) => {
          const endTurn = metrics.turnSeconds.startTimer();
          try {
            return await takeTurn(actor, message, { marks, log, bury, onRefused });
          } finally {
            endTurn();
          }
        },
      }),
    );
    // All 32 stop at the same time: each waits for its own open pull.
    await run(together('partitions', loops));

    const commands = await run(commandClient(nc, publisher));
    const shedding = await run(loadShedding(jsm, log));
    await run(
      serveApi(nc, {
        name: 'smsbatch-batch',
        version,
        description: 'Batches and their recipients',
        endpoints: batchEndpoints({ nc, jsm, store, commands, shedding, status: deps.status }),
        log,
        unavailable: isTransient,
        concurrency: 256,
      }),
    );
  });
}
