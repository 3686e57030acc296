import { OUTCOME_OF_LETTER, type Outcome, type OutcomeLetter } from '../../contracts/outcomes.ts';
import { eachChunk, type Life } from '../../lib/batch/each-recipient.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { LedgerEntry } from './simulator.ts';

/** What the carrier says of one batch, against what we say of it, recipient by recipient. */
export interface LedgerCheck {
  /** Messages that the carrier accepted, reassembled. */
  received: number;
  segments: number;
  /** We say `accepted`; the carrier has nothing, or another text. */
  missing: number;
  /** The carrier has it; we say neither `accepted` nor `unknown`. */
  unexpected: number;
  /** Numbers that the carrier accepted more than once. */
  doubled: number;
  /** Recipients whose answer was lost, of which the carrier has the message. */
  unknownReceived: number;
  /** The first few, for a person to look at. */
  examples: { phone: string; what: string }[];
}

const EXAMPLES = 5;

interface Received {
  text: string;
  times: number;
}

/** Reads the whole ledger into memory: a tool of the demo and the tests, not of the product. */
export async function checkLedger(
  store: Store,
  life: Life,
  ledger: AsyncIterable<LedgerEntry>,
): Promise<LedgerCheck> {
  const check: LedgerCheck = {
    received: 0,
    segments: 0,
    missing: 0,
    unexpected: 0,
    doubled: 0,
    unknownReceived: 0,
    examples: [],
  };
  const note = (phone: string, what: string) => {
    if (check.examples.length < EXAMPLES) check.examples.push({ phone, what });
  };

  const received = new Map<string, Received>();
  for await (const entry of ledger) {
    if (entry.commandStatus !== 0 || !entry.complete) continue;
    check.received += 1;
    check.segments += entry.segments;
    const known = received.get(entry.msisdn);
    if (known) {
      known.times += 1;
      check.doubled += 1;
      note(entry.msisdn, `received ${known.times} times`);
    } else received.set(entry.msisdn, { text: entry.text, times: 1 });
  }

  const seen = new Set<string>();
  for await (const chunk of eachChunk(store, life)) {
    const texts = chunk.texts();
    for (let position = 0; position < chunk.phones.length; position++) {
      const phone = chunk.phones[position]!;
      const outcome = OUTCOME_OF_LETTER[chunk.outcomes.statuses[position] as OutcomeLetter];
      judge(phone, outcome, texts[position]!);
    }
  }
  for (const phone of received.keys()) {
    if (seen.has(phone)) continue;
    check.unexpected += 1;
    note(phone, 'received, but no recipient of the batch');
  }
  return check;

  function judge(phone: string, outcome: Outcome, text: string): void {
    // A duplicate shares its number with the recipient that is sent to; only that one is compared.
    if (outcome === 'duplicate' || phone.startsWith('!')) return;
    seen.add(phone);
    const there = received.get(phone);
    if (outcome === 'accepted') {
      if (there?.text === text) return;
      check.missing += 1;
      note(phone, there ? 'accepted, received with another text' : 'accepted, never received');
    } else if (outcome === 'unknown') {
      if (there) check.unknownReceived += 1;
    } else if (there) {
      check.unexpected += 1;
      note(phone, `${outcome}, but received`);
    }
  }
}
