import type { JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { STREAMS } from '../../../contracts/subjects.ts';
import { loop } from '../../../lib/lifecycle/loop.ts';
import { type Part, part } from '../../../lib/lifecycle/part.ts';

const LOOK_EVERY_MS = 1_000;
/** From here on no new work is taken, so that pause, abort and the steps' answers always fit. */
const SHED_FROM = 0.5;

export interface LoadShedding extends Part {
  /** @throws RefusedError `overloaded` while the command stream is more than half full. */
  refuseNewWork(): void;
}

export function loadShedding(jsm: JetStreamManager, log: Logger): LoadShedding {
  let share = 0;
  const running = part('load shedding', ({ signal, defer }) => {
    const looking = loop(
      'load shedding',
      async () => {
        const { config, state } = await jsm.streams.info(STREAMS.commands);
        share = config.max_bytes > 0 ? state.bytes / config.max_bytes : 0;
      },
      signal,
      { log, pauseMs: LOOK_EVERY_MS },
    );
    defer(() => looking);
  });
  return {
    ...running,
    refuseNewWork: () => {
      if (share < SHED_FROM) return;
      throw new RefusedError(
        errorBody('overloaded', `The command stream is ${Math.round(share * 100)} % full; new batches wait.`),
      );
    },
  };
}
