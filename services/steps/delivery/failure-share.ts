/** Why everyone else would fail as well: the batch pauses itself. */
export interface Stop {
  code: string;
  message: string;
}

/** Fewer answers say nothing about the rest. */
const MIN_ANSWERED = 100;

export interface FailureShare {
  accepted(): void;
  /** The reason to stop, when too many are refused. */
  refused(code: string): Stop | undefined;
}

/** @param threshold share of refusals, 0 to 1, above which the task stops; null = none */
export function failureShare(threshold: number | null): FailureShare {
  let answered = 0;
  let refused = 0;
  const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;
  return {
    accepted() {
      answered += 1;
    },
    refused(code) {
      answered += 1;
      refused += 1;
      if (threshold === null || answered < MIN_ANSWERED || refused / answered <= threshold) return undefined;
      const shares = `${percent(refused / answered)} of ${answered} answers are refusals, more than ${percent(threshold)}`;
      return { code: 'failure-threshold', message: `${shares}; the last one was ${code}` };
    },
  };
}
