import { deadSubject, parseCommandSubject, STREAMS } from '../../contracts/subjects.ts';
import { publishedMarks } from '../../lib/actor/published-marks.ts';
import { takeTurn } from '../../lib/actor/take-turn.ts';
import { hash32 } from '../../lib/hash/hash32.ts';
import { deadLetter } from '../../lib/nats/dead-letter.ts';
import { batchActor } from '../../services/batch/behaviour.ts';
import { consume, noMetrics, type Process } from './process.ts';
import type { World } from './world.ts';

const PARTITIONS = 4;

const partitionOf = (subject: string): number =>
  hash32(parseCommandSubject(subject)?.batchId ?? '') % PARTITIONS;

/** One command of a partition is out at a time, anywhere. */
export function addPartitions({ bus, consumers }: World): void {
  for (let n = 0; n < PARTITIONS; n++) {
    const name = `batch-${n}`;
    consumers.set(
      name,
      bus.consumer(name, STREAMS.commands, (subject) => partitionOf(subject) === n, 1),
    );
  }
}

/** The batch actors' host: the real turn, rules, effects and marks. */
export function actors(process: Process): void {
  const { world, nats, store, publisher, log } = process;
  const metrics = noMetrics<never>();
  const marks = publishedMarks(store.batches, log);
  void marks.start();
  const actor = batchActor({ nc: nats.nc, jsm: nats.jsm, store, publisher, metrics, log });
  for (let n = 0; n < PARTITIONS; n++) {
    consume(process, world.consumers.get(`batch-${n}`)!, {
      room: 1,
      handle: (message) =>
        takeTurn(actor, message, {
          marks,
          log,
          bury: (dead, reason) => {
            world.breaks('no command is poison', `${dead.subject}: ${reason}`);
            return deadLetter(publisher, dead, {
              stream: STREAMS.dead,
              subject: deadSubject(STREAMS.commands, dead.subject),
              reason,
            });
          },
        }),
    });
  }
}
