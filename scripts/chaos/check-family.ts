import { chunkId } from '../../contracts/ids.ts';
import { OUTCOME_OF_LETTER, type Outcome, type OutcomeLetter, totalOf } from '../../contracts/outcomes.ts';
import { isFinal, stateName } from '../../contracts/states.ts';
import { eachChunk } from '../../lib/batch/each-recipient.ts';
import { accountOf } from '../../lib/stats/account.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { CarrierPages } from './carrier-book.ts';

/** A batch, and the children that took its refused or unsent recipients. */
export interface Family {
  key: string;
  batches: readonly BatchDocument[];
  /** Digits of every number that the table has. */
  people: ReadonlySet<string>;
}

export interface Findings {
  /** Of the table, and in no outcome; or not final although the batch has succeeded. */
  lost: number;
  /** Accepted by the carrier more often than we say. */
  doubled: number;
  /** Accepted by the carrier; we say that it was not. */
  unexpected: number;
  /** We say accepted; the carrier has nothing, or another text. */
  wronglyClaimed: number;
  /** Batches whose outcomes do not sum to the total. */
  identityBroken: number;
}

export interface FamilyFigures extends Findings {
  /** Accepted messages, by the carrier. */
  messages: number;
  /** Recipients whose answer is not known to this day … */
  unknown: number;
  /** … of which the carrier has the message … */
  unknownReceived: number;
  /** … and those that a receipt or a late answer has resolved. */
  resolved: number;
  /** Sent again because the batch asks for it (`onInDoubt: resend`), and received twice. */
  resentDoubles: number;
  resent: number;
  examples: string[];
}

const EXAMPLES = 6;

interface Claims {
  accepted: number;
  unknown: number;
  others: Outcome[];
  text: string;
}

/** Compares our book with the carrier's and with the table, recipient by recipient. */
export async function checkFamily(
  store: Store,
  { key, batches, people }: Family,
  pages: CarrierPages | undefined,
): Promise<FamilyFigures> {
  const figures = noFigures();
  const note = (phone: string, what: string): void => {
    if (figures.examples.length < EXAMPLES) figures.examples.push(`${key} ${phone}: ${what}`);
  };
  const claims = new Map<string, Claims>();
  const partitioned = batches.filter(({ size }) => size !== undefined);
  for (const batch of partitioned) await claim(batch);
  // A batch that was aborted before it was partitioned has nobody yet.
  const [first] = batches;
  if (first?.size !== undefined) {
    for (const phone of people) {
      if (claims.has(phone)) continue;
      const prepared = stateName(first.state) === 'Succeeded';
      if (!prepared) continue;
      figures.lost += 1;
      note(phone, 'of the table, and in no outcome');
    }
  }

  for (const [phone, own] of claims) {
    const there = pages?.received.get(phone);
    const times = there?.times ?? 0;
    figures.messages += times;
    if (times < own.accepted) {
      figures.wronglyClaimed += own.accepted - times;
      note(phone, `accepted ${own.accepted} times, received ${times} times`);
    } else if (own.accepted > 0 && there!.text !== own.text) {
      figures.wronglyClaimed += 1;
      note(phone, 'accepted, received with another text');
    }
    const known = own.accepted + own.unknown;
    if (times > known) {
      if (known > 0) figures.doubled += times - known;
      else figures.unexpected += times;
      note(phone, `${known > 0 ? 'in doubt or accepted' : own.others.join(', ')}, received ${times} times`);
    } else figures.unknownReceived += times - own.accepted;
  }
  for (const [phone, { times }] of pages?.received ?? []) {
    if (claims.has(phone)) continue;
    figures.messages += times;
    figures.unexpected += times;
    note(phone, 'received, and no recipient');
  }
  figures.resentDoubles = Math.min(figures.doubled, figures.resent);
  figures.doubled -= figures.resentDoubles;
  return figures;

  async function claim(batch: BatchDocument): Promise<void> {
    const life = { batchId: batch._id, incarnation: batch.incarnation };
    const account = await accountOf(store, batch);
    if (account.total !== null && totalOf(account.counts) !== account.total) {
      figures.identityBroken += 1;
      note('', `${batch._id}: ${JSON.stringify(account)}`);
    }
    const succeeded = isFinal(batch.state) && batch.state.status === 'Succeeded';
    for await (const chunk of eachChunk(store, life)) {
      const stored = await store.outcomes.findOne(
        { _id: chunkId(batch._id, batch.incarnation, chunk.index) },
        { projection: { statuses: 1, resent: 1 } },
      );
      figures.resent += stored?.resent ?? 0;
      const texts = chunk.texts();
      for (let position = 0; position < chunk.phones.length; position++) {
        const phone = chunk.phones[position]!;
        const outcome = OUTCOME_OF_LETTER[chunk.outcomes.statuses[position] as OutcomeLetter];
        if (outcome === 'duplicate' || phone.startsWith('!')) continue;
        const own = claims.get(phone) ?? { accepted: 0, unknown: 0, others: [], text: texts[position]! };
        claims.set(phone, own);
        if (outcome === 'accepted') own.accepted += 1;
        else if (outcome === 'unknown') own.unknown += 1;
        else own.others.push(outcome);
        if (outcome === 'unknown') figures.unknown += 1;
        else if (stored?.statuses[position] === 'u') figures.resolved += 1;
        if (succeeded && (outcome === 'pending' || outcome === 'inFlight')) {
          figures.lost += 1;
          note(phone, `${outcome} in a batch that has succeeded`);
        }
      }
    }
  }
}

export const noFigures = (): FamilyFigures => ({
  lost: 0,
  doubled: 0,
  unexpected: 0,
  wronglyClaimed: 0,
  identityBroken: 0,
  messages: 0,
  unknown: 0,
  unknownReceived: 0,
  resolved: 0,
  resentDoubles: 0,
  resent: 0,
  examples: [],
});
