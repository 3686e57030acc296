import Type, { type Static } from 'typebox';

/**
 * Every recipient of a batch has exactly one outcome, so that at every moment
 * `total = pending + inFlight + accepted + rejected + unknown + suppressed + duplicate + invalid + expired`.
 */
export const OUTCOMES = [
  'pending',
  'inFlight',
  'accepted',
  'rejected',
  'unknown',
  'suppressed',
  'duplicate',
  'invalid',
  'expired',
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Outcomes with which a batch may end as `Succeeded`. */
export const FINAL_OUTCOMES = [
  'accepted',
  'rejected',
  'unknown',
  'suppressed',
  'duplicate',
  'invalid',
  'expired',
] as const satisfies readonly Outcome[];

/** One letter an outcome: the column in which an outcome document keeps a chunk's statuses. */
export const OUTCOME_LETTERS = {
  pending: 'p',
  inFlight: 'f',
  accepted: 'a',
  rejected: 'r',
  unknown: 'u',
  suppressed: 's',
  duplicate: 'd',
  invalid: 'i',
  expired: 'e',
} as const satisfies Record<Outcome, string>;

export type OutcomeLetter = (typeof OUTCOME_LETTERS)[Outcome];

export const OUTCOME_OF_LETTER: Readonly<Record<OutcomeLetter, Outcome>> = Object.freeze(
  Object.fromEntries(OUTCOMES.map((outcome) => [OUTCOME_LETTERS[outcome], outcome])) as Record<
    OutcomeLetter,
    Outcome
  >,
);

const count = Type.Integer({ minimum: 0 });

export const OutcomeCounts = Type.Object(
  {
    pending: count,
    inFlight: count,
    accepted: count,
    rejected: count,
    unknown: count,
    suppressed: count,
    duplicate: count,
    invalid: count,
    expired: count,
  },
  { additionalProperties: false, description: 'Recipients by outcome; the sum is the total.' },
);
export type OutcomeCounts = Static<typeof OutcomeCounts>;

/** What receipts say of the accepted ones; `delivered + undelivered + expiredAtCarrier <= accepted`. */
export const ReceiptCounts = Type.Object(
  { delivered: count, undelivered: count, expiredAtCarrier: count },
  { additionalProperties: false },
);
export type ReceiptCounts = Static<typeof ReceiptCounts>;

/** What became of recipients that were `unknown` when their task ended. */
export const ResolvedCounts = Type.Object(
  { accepted: count, rejected: count },
  { additionalProperties: false },
);
export type ResolvedCounts = Static<typeof ResolvedCounts>;

export const noOutcomes = (): OutcomeCounts => ({
  pending: 0,
  inFlight: 0,
  accepted: 0,
  rejected: 0,
  unknown: 0,
  suppressed: 0,
  duplicate: 0,
  invalid: 0,
  expired: 0,
});

export const noReceipts = (): ReceiptCounts => ({ delivered: 0, undelivered: 0, expiredAtCarrier: 0 });

export function addCounts(left: OutcomeCounts, right: OutcomeCounts): OutcomeCounts {
  const sum = noOutcomes();
  for (const outcome of OUTCOMES) sum[outcome] = left[outcome] + right[outcome];
  return sum;
}

export function addReceipts(left: ReceiptCounts, right: ReceiptCounts): ReceiptCounts {
  return {
    delivered: left.delivered + right.delivered,
    undelivered: left.undelivered + right.undelivered,
    expiredAtCarrier: left.expiredAtCarrier + right.expiredAtCarrier,
  };
}

export const totalOf = (counts: OutcomeCounts): number =>
  OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);

/** Recipients whose fate can still change by sending. */
export const openOf = (counts: OutcomeCounts): number => counts.pending + counts.inFlight;
