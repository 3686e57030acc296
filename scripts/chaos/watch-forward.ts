import { lifeId } from '../../contracts/ids.ts';
import { OUTCOME_LETTERS } from '../../contracts/outcomes.ts';
import { isFinal, stateName } from '../../contracts/states.ts';
import type { Store } from '../../lib/store/collections.ts';
import { idsUnder } from '../../lib/tables/chunk-ranges.ts';

const { pending, inFlight, unknown, accepted, rejected } = OUTCOME_LETTERS;
const OPEN = new Set<string>([pending, inFlight]);

/** From `unknown` a late answer leads on; every other outcome is final. */
const mayBecome = (from: string, to: string): boolean =>
  from === to || OPEN.has(from) || (from === unknown && (to === accepted || to === rejected));

/** Looks again and again: what was final once must stay so. */
export class ForwardWatch {
  readonly #store: Store;
  readonly #statuses = new Map<string, string>();
  readonly #versions = new Map<string, { version: number; ended: string | null }>();
  /** What went back, in words. */
  readonly backwards: string[] = [];
  looks = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Batches that have ended are looked at once more, and then no longer. */
  async look(ids: readonly string[]): Promise<void> {
    for (const doc of await this.#store.batches.find({ _id: { $in: [...ids] } }).toArray()) {
      const ended = isFinal(doc.state) ? stateName(doc.state) : null;
      const before = this.#versions.get(doc._id);
      if (before && (doc.version < before.version || (before.ended !== null && before.ended !== ended))) {
        this.backwards.push(`${doc._id}: ${JSON.stringify(before)} → ${doc.version} ${stateName(doc.state)}`);
      }
      this.#versions.set(doc._id, { version: doc.version, ended });
      const life = lifeId(doc._id, doc.incarnation);
      const chunks = this.#store.outcomes.find({ _id: idsUnder(life) }, { projection: { statuses: 1 } });
      for await (const { _id, statuses } of chunks) this.#compare(_id, statuses);
    }
    this.looks += 1;
  }

  #compare(id: string, now: string): void {
    const before = this.#statuses.get(id);
    this.#statuses.set(id, now);
    if (before === undefined || before === now) return;
    for (let position = 0; position < now.length; position++) {
      if (mayBecome(before[position]!, now[position]!)) continue;
      this.backwards.push(`${id}[${position}]: ${before[position]} → ${now[position]}`);
    }
  }
}
