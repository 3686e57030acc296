import { RECEIPT_LETTERS, type ReceiptLetter, type ReceiptState } from '../../contracts/receipts.ts';

/** No receipt yet. */
export const NO_RECEIPT = '.';

export const RECEIPT_OF_LETTER: Readonly<Record<ReceiptLetter, ReceiptState>> = Object.freeze(
  Object.fromEntries(Object.entries(RECEIPT_LETTERS).map(([state, letter]) => [letter, state])),
) as Record<ReceiptLetter, ReceiptState>;

/** Lowest first: a state is replaced only by one behind it, whatever the order in which receipts come in. */
const ORDER = ['.', 'n', 'a', 'k', 'x', 'r', 'e', 'u', 'd'] as const;
const RANKS = new Map<string, number>(ORDER.map((letter, rank) => [letter, rank]));

/** 0 = none, higher = further. */
export const receiptRank = (letter: string): number => RANKS.get(letter) ?? 0;

export interface ReceiptFact {
  letter: ReceiptLetter | typeof NO_RECEIPT;
  /** The network's error code; empty = none. */
  error: string;
  atMs: number;
}

/** The further state; of two equal ones the earlier, so that a doubled receipt changes nothing. */
export function joinReceipts(left: ReceiptFact, right: ReceiptFact): ReceiptFact {
  const ranks = receiptRank(left.letter) - receiptRank(right.letter);
  if (ranks !== 0) return ranks > 0 ? left : right;
  if (left.atMs !== right.atMs) return left.atMs < right.atMs ? left : right;
  return left.error <= right.error ? left : right;
}
