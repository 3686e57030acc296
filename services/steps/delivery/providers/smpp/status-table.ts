import { statusTable } from '../../../../../lib/smpp/status.ts';
import type { Refusal, RefusalClass } from '../provider.ts';

export const statusCode = (status: number): string =>
  `0x${status.toString(16).toUpperCase().padStart(8, '0')}`;

/** By command_status as in the configuration: `0x0000045A` or `1114`. */
export type StatusOverrides = Readonly<Record<string, { class: RefusalClass; text?: string | undefined }>>;

/** Refusals by command_status: the provider's own meanings on top of lib/smpp/status.ts. */
export function refusals(overrides: StatusOverrides = {}): (status: number) => Refusal {
  const statusOf = statusTable(
    Object.entries(overrides).map(([code, { class: statusClass, text }]) => ({
      code: Number(code),
      class: statusClass,
      ...(text === undefined ? {} : { text }),
    })),
  );
  const known = new Map<number, Refusal>();
  return (status) => {
    const made = known.get(status);
    if (made) return made;
    const meaning = statusOf(status);
    const refusal: Refusal = Object.freeze({
      // Refused, whatever a table says: only status 0 is an acceptance.
      class: meaning.class === 'ok' ? 'recipient' : meaning.class,
      code: statusCode(status),
      text: meaning.text,
    });
    // A hostile peer could make up statuses without end.
    if (known.size < 1_000) known.set(status, refusal);
    return refusal;
  };
}
