import type { Refusal, RefusalClass } from '../provider.ts';

interface StatusMeaning {
  class: RefusalClass;
  text: string;
}

/**
 * What a command_status other than 0 means (docs: "SMS facts"; codes as in SMPP 3.4, Kannel and node-smpp). Some public
 * lists have 0x4A, 0x4B, 0x4D, 0x4E where 3.4 has 0x50, 0x51, 0x53, 0x54.
 */
export const STATUS_TABLE: Readonly<Record<number, StatusMeaning>> = {
  1: { class: 'batch', text: 'message length is invalid' },
  2: { class: 'batch', text: 'command length is invalid' },
  3: { class: 'batch', text: 'the carrier does not know submit_sm' },
  4: { class: 'session', text: 'the bind does not allow submit_sm' },
  5: { class: 'session', text: 'already bound, or too many sessions' },
  6: { class: 'batch', text: 'priority flag is invalid' },
  7: { class: 'batch', text: 'registered delivery flag is invalid' },
  8: { class: 'transient', text: 'system error of the carrier' },
  10: { class: 'batch', text: 'the sender (source address) is not allowed' },
  11: { class: 'recipient', text: 'the number (destination address) is invalid or not served' },
  20: { class: 'throttled', text: 'the carrier’s message queue is full' },
  21: { class: 'batch', text: 'service type is invalid' },
  51: { class: 'recipient', text: 'number of destinations is invalid' },
  67: { class: 'batch', text: 'esm_class is invalid' },
  69: { class: 'transient', text: 'submit failed' },
  72: { class: 'batch', text: 'the sender’s type of number is invalid' },
  73: { class: 'batch', text: 'the sender’s numbering plan is invalid' },
  74: { class: 'recipient', text: 'the number’s type is invalid' },
  75: { class: 'recipient', text: 'the number’s numbering plan is invalid' },
  80: { class: 'recipient', text: 'the number’s type is invalid' },
  81: { class: 'recipient', text: 'the number’s numbering plan is invalid' },
  84: { class: 'batch', text: 'replace_if_present flag is invalid' },
  88: { class: 'throttled', text: 'too fast for the account' },
  97: { class: 'batch', text: 'scheduled delivery time is invalid' },
  98: { class: 'batch', text: 'validity period is invalid' },
  99: { class: 'batch', text: 'predefined message is invalid' },
  100: { class: 'transient', text: 'temporary error of the carrier’s application' },
  101: { class: 'recipient', text: 'permanent error of the carrier’s application' },
  102: { class: 'recipient', text: 'the carrier’s application refused it' },
  192: { class: 'batch', text: 'an optional parameter is invalid' },
  193: { class: 'batch', text: 'an optional parameter is not allowed' },
  194: { class: 'batch', text: 'an optional parameter’s length is invalid' },
  195: { class: 'batch', text: 'an optional parameter is missing' },
  196: { class: 'batch', text: 'an optional parameter’s value is invalid' },
  254: { class: 'transient', text: 'delivery failure' },
  255: { class: 'transient', text: 'unknown error of the carrier' },
  257: { class: 'recipient', text: 'the carrier refuses this number' },
  260: { class: 'batch', text: 'the carrier refuses the account' },
};

export const statusCode = (status: number): string =>
  `0x${status.toString(16).toUpperCase().padStart(8, '0')}`;

export type StatusOverrides = Readonly<Record<string, { class: RefusalClass; text?: string | undefined }>>;

/** Refusals by command_status: the provider's own table first, then the common one, else the recipient's fault. */
export function refusals(overrides: StatusOverrides = {}): (status: number) => Refusal {
  const own = new Map(Object.entries(overrides).map(([code, meaning]) => [Number(code), meaning]));
  const known = new Map<number, Refusal>();
  return (status) => {
    const made = known.get(status);
    if (made) return made;
    const common = STATUS_TABLE[status];
    const override = own.get(status);
    const refusal: Refusal = Object.freeze({
      class: override?.class ?? common?.class ?? 'recipient',
      code: statusCode(status),
      text: override?.text ?? common?.text ?? `the carrier answered ${statusCode(status)}`,
    });
    // A hostile peer could make up statuses without end.
    if (known.size < 1_000) known.set(status, refusal);
    return refusal;
  };
}
