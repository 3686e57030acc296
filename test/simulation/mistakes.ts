import { noOutcomes } from '../../contracts/outcomes.ts';
import type { Filter } from './documents.ts';
import type { Tamper, Write } from './store.ts';
import type { World } from './world.ts';

/** Plants a mistake in a world: as if the product, or what it relies on, were wrong in this one point. */
type Plant = (world: World) => void;

const without = (filter: Filter, name: string): Filter => {
  const { [name]: _gone, ...rest } = filter;
  return rest;
};

/** Writes of some collections that pass over a part of their filter. */
const ignoring =
  (collections: readonly string[], ...names: readonly string[]): Tamper =>
  (collection, write) =>
    collections.includes(collection) && 'filter' in write
      ? ({ ...write, filter: names.reduce(without, write.filter) } as Write)
      : write;

const tampered =
  (tamper: Tamper): Plant =>
  ({ store }) => {
    store.tamper = tamper;
  };

/** A write that is acknowledged at once and takes effect later, if its process still lives. */
const later =
  (isIt: (collection: string, write: Write) => boolean, ms: number): Plant =>
  ({ store, timeline }) => {
    store.tamper = (collection, write, host) => {
      if (!isIt(collection, write)) return write;
      timeline.after(
        ms,
        () => {
          const { tamper } = store;
          store.tamper = undefined;
          store.write(collection, write, host);
          store.tamper = tamper;
        },
        host,
      );
      return undefined;
    };
  };

const isUpdate = (write: Write): write is Write & { kind: 'update' } => write.kind === 'update';

/** Each must be found by the simulation; what finds nothing proves nothing. */
export const MISTAKES: Readonly<Record<string, Plant>> = {
  'no fence: outcomes and journal are written whoever owns the task': tampered(
    ignoring(['tasks', 'outcomes'], 'ownerSeq', 'revision', 'progressVersion'),
  ),
  'outcomes are written whoever owns the task': tampered(ignoring(['outcomes'], 'ownerSeq', 'revision')),
  'intent after sending': later(
    (collection, write) =>
      collection === 'tasks' &&
      isUpdate(write) &&
      write.change.$set?.authorisedTo !== undefined &&
      'run' in write.filter,
    200,
  ),
  'a counter in place of states': (world) => {
    world.countsInstead = (_counts, total) => ({ ...noOutcomes(), accepted: total });
  },
  'no marks of done commands': tampered((collection, write) =>
    collection === 'batches' && (write.kind === 'replace' || write.kind === 'insert')
      ? ({ ...write, document: { ...write.document, lastCommandSeq: 0, lastCommandAt: 0 } } as Write)
      : write,
  ),
  'hold after the actor’s write': later(
    (collection, write) => collection === 'tasks' && isUpdate(write) && write.change.$set?.run === 'hold',
    200,
  ),
  'the actor writes over whatever version': tampered(ignoring(['batches'], 'version')),
  'acknowledged before the write': ({ bus }) => {
    bus.ackFirst = true;
  },
  'the bus takes a message twice': ({ bus }) => {
    bus.takesAll = true;
  },
  'receipts are written over whatever version': tampered(ignoring(['receipts'], 'version')),
  'a schedule is written over whatever revision': tampered(ignoring(['schedules'], 'revision')),
};
