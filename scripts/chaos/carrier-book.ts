import type { LedgerEntry } from '../engine/simulator.ts';

/** What the carrier has of one family of batches. */
export interface CarrierPages {
  /** Complete, accepted messages: how often, and with which text, by number. */
  received: Map<string, { times: number; text: string }>;
  /** When anything was submitted, ms since 1970, refused and throttled ones included. */
  submittedAtMs: number[];
}

/** The carrier's ledger by sender: a tool of the check, which reads all of it into memory. */
export async function readCarrierBook(
  ledger: AsyncIterable<LedgerEntry>,
): Promise<Map<string, CarrierPages>> {
  const book = new Map<string, CarrierPages>();
  for await (const { sender, msisdn, text, at, commandStatus, complete } of ledger) {
    const key = familyOf(sender, text);
    let pages = book.get(key);
    if (!pages) {
      pages = { received: new Map(), submittedAtMs: [] };
      book.set(key, pages);
    }
    pages.submittedAtMs.push(at);
    if (commandStatus !== 0 || !complete) continue;
    const known = pages.received.get(msisdn);
    if (known) known.times += 1;
    else pages.received.set(msisdn, { times: 1, text });
  }
  return book;
}

/** Runs of the schedule share their sender; their text names the due time. */
export const SCHEDULE_SENDER = 'sched';
export const familyOf = (sender: string, text: string): string =>
  sender === SCHEDULE_SENDER ? `${sender} ${text}` : sender;
