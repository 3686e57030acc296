import Type, { type Static } from 'typebox';

/** Final states of a receipt, as the columns of a receipt document keep them. */
export const RECEIPT_STATES = [
  'delivered',
  'undelivered',
  'expired',
  'rejected',
  'deleted',
  'unknown',
  'accepted',
  'enroute',
] as const;
export type ReceiptState = (typeof RECEIPT_STATES)[number];

/** One letter a receipt state: in columns of receipts, and in the `states` column of a receipt document. */
export const RECEIPT_LETTERS = {
  delivered: 'd',
  undelivered: 'u',
  expired: 'e',
  rejected: 'r',
  deleted: 'x',
  unknown: 'k',
  accepted: 'a',
  enroute: 'n',
} as const satisfies Record<ReceiptState, string>;

export type ReceiptLetter = (typeof RECEIPT_LETTERS)[ReceiptState];

export const DeliveryReceipt = Type.Object(
  {
    messageId: Type.String({ maxLength: 128, description: 'As the carrier wrote it.' }),
    msisdn: Type.String({ maxLength: 21, description: 'Digits of the handset.' }),
    state: Type.Enum(RECEIPT_STATES),
    error: Type.Optional(
      Type.String({ maxLength: 32, description: 'The network’s code, not a command_status.' }),
    ),
    atMs: Type.Integer({ minimum: 0, description: 'When it reached us.' }),
    part: Type.Optional(Type.Integer()),
    sender: Type.Optional(
      Type.String({ maxLength: 21, description: 'Where the receipt was sent to: the message’s sender.' }),
    ),
    text: Type.Optional(
      Type.String({
        maxLength: 20,
        description: 'Beginning of the message’s text, as the carrier quotes it.',
      }),
    ),
    submitToDoneMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'From the submit date to the done date, by the carrier’s clock, whatever its zone.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type DeliveryReceipt = Static<typeof DeliveryReceipt>;

const lettersInWords = Object.entries(RECEIPT_LETTERS)
  .map(([state, letter]) => `${letter} ${state}`)
  .join(', ');

/** Receipts as columns: a third of the size of a list of objects, and as much less work to write and to read. */
export const ReceiptColumns = Type.Object(
  {
    messageIds: Type.String({ description: 'As the carrier wrote them, one a line.' }),
    msisdns: Type.String({ description: 'Digits of the handsets, one a line.' }),
    states: Type.String({
      minLength: 1,
      maxLength: 10_000,
      pattern: `^[${Object.values(RECEIPT_LETTERS).join('')}]*$`,
      description: `One letter each: ${lettersInWords}.`,
    }),
    errors: Type.Optional(
      Type.String({
        description: 'The networks’ codes, one a line, empty for none; absent: no receipt has one.',
      }),
    ),
    senders: Type.Optional(
      Type.String({ description: 'Where they were sent to, one a line, or one line for all.' }),
    ),
    texts: Type.Optional(
      Type.String({ description: 'Beginnings of the texts, as quoted, one a line, or one line for all.' }),
    ),
    submitToDoneMs: Type.Optional(
      Type.String({
        pattern: '^[0-9\\n]*$',
        description: 'From submit date to done date, one a line, empty for none, or one line for all.',
      }),
    ),
    atMs: Type.Integer({ minimum: 0, description: 'When the first of them reached us.' }),
  },
  { additionalProperties: false },
);
export type ReceiptColumns = Static<typeof ReceiptColumns>;

/** An answer that came in after its task went to someone else. */
export const LateAnswer = Type.Object(
  {
    chunk: Type.String({ description: 'Id of the chunk.' }),
    position: Type.Integer({ minimum: 0 }),
    outcome: Type.Union([Type.Literal('accepted'), Type.Literal('rejected')]),
    messageId: Type.String({ maxLength: 128 }),
    code: Type.Optional(Type.String({ maxLength: 64 })),
    atMs: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type LateAnswer = Static<typeof LateAnswer>;

/**
 * The message on `sms.receipt.<provider>`: one group, stored before any of it is answered. Receipts come as columns, as a
 * list, or both.
 */
export const ReceiptGroup = Type.Object(
  {
    provider: Type.String(),
    columns: Type.Optional(ReceiptColumns),
    receipts: Type.Optional(Type.Array(DeliveryReceipt, { maxItems: 2_000 })),
    lateAnswers: Type.Optional(Type.Array(LateAnswer, { maxItems: 2_000 })),
  },
  { additionalProperties: false },
);
export type ReceiptGroup = Static<typeof ReceiptGroup>;
