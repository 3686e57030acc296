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
  },
  { additionalProperties: false },
);
export type DeliveryReceipt = Static<typeof DeliveryReceipt>;

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

/** The message on `sms.receipt.<provider>`: one group, stored before any of it is answered. */
export const ReceiptGroup = Type.Object(
  {
    provider: Type.String(),
    receipts: Type.Optional(Type.Array(DeliveryReceipt, { maxItems: 2_000 })),
    lateAnswers: Type.Optional(Type.Array(LateAnswer, { maxItems: 2_000 })),
  },
  { additionalProperties: false },
);
export type ReceiptGroup = Static<typeof ReceiptGroup>;
