import Type from 'typebox';
import { Errors } from 'typebox/value';
import type { BehaviourChange } from './behaviour.ts';

const share = Type.Number({ minimum: 0, maximum: 1 });
const milliseconds = Type.Number({ minimum: 0 });
const count = Type.Integer({ minimum: 0 });
const commandStatus = Type.Integer({ minimum: 0, maximum: 0xffffffff });
const words = <const T extends string[]>(...values: T) =>
  Type.Union(values.map((value) => Type.Literal(value)));
const receiptState = words(
  'DELIVRD',
  'EXPIRED',
  'DELETED',
  'UNDELIV',
  'ACCEPTD',
  'UNKNOWN',
  'REJECTD',
  'ENROUTE',
);
const closed = { additionalProperties: false };

const ruleSchema = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    suffix: Type.Optional(Type.String()),
    pattern: Type.Optional(Type.String({ format: 'regex' })),
    share: Type.Optional(share),
    times: Type.Optional(count),
    commandStatus: Type.Optional(commandStatus),
    noAnswer: Type.Optional(Type.Boolean()),
    delayMs: Type.Optional(milliseconds),
    disconnect: Type.Optional(words('before', 'after')),
    receiptState: Type.Optional(receiptState),
  },
  closed,
);

export const behaviourSchema = Type.Object(
  {
    latencyMs: Type.Optional(milliseconds),
    latencyJitterMs: Type.Optional(milliseconds),
    tpsLimit: Type.Optional(Type.Number({ minimum: 0 })),
    tpsBurstMs: Type.Optional(milliseconds),
    throttledStatus: Type.Optional(commandStatus),
    noAnswerShare: Type.Optional(share),
    lateAnswerShare: Type.Optional(share),
    lateAnswerMs: Type.Optional(milliseconds),
    doubledAnswerShare: Type.Optional(share),
    disconnectEvery: Type.Optional(count),
    disconnectAfter: Type.Optional(count),
    rules: Type.Optional(Type.Array(ruleSchema)),
    receipts: Type.Optional(
      Type.Object(
        {
          share: Type.Optional(share),
          delayMs: Type.Optional(milliseconds),
          delayJitterMs: Type.Optional(milliseconds),
          earlyShare: Type.Optional(share),
          doubledShare: Type.Optional(share),
          state: Type.Optional(receiptState),
          ids: Type.Optional(words('same', 'hexToDecimal', 'decimalToHex', 'zeroPadded', 'upperCase')),
          format: Type.Optional(words('text', 'tlv', 'both', 'oneWordDates', 'csvAndTlv')),
          retryMs: Type.Optional(milliseconds),
        },
        closed,
      ),
    ),
  },
  closed,
);

export interface BehaviourFinding {
  field: string;
  value: unknown;
  expected: string;
}

/** Every finding at once; none means that it is a BehaviourChange. */
export function behaviourFindings(value: unknown): BehaviourFinding[] {
  return [...Errors(behaviourSchema, value)].map((error) => ({
    field: error.instancePath.slice(1).replaceAll('/', '.') || '(body)',
    value: error.instancePath
      .split('/')
      .slice(1)
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value),
    expected: error.message,
  }));
}

/** Throws with all findings. */
export function checkBehaviour(value: unknown): BehaviourChange {
  const errors = behaviourFindings(value);
  if (errors.length === 0) return value as BehaviourChange;
  throw new TypeError(errors.map(({ field, expected }) => `${field}: ${expected}`).join('; '));
}
