import Type, { type Static } from 'typebox';

/** A receipt that has found no message. */
export const OrphanReceipt = Type.Object({
  provider: Type.String(),
  messageId: Type.String({ description: 'As the carrier wrote it.' }),
  msisdn: Type.String(),
  state: Type.String(),
  error: Type.Optional(Type.String()),
  receivedAt: Type.String(),
  parkedAt: Type.String(),
  attempts: Type.Integer({ description: 'How often its message was looked for.' }),
  nextTryAt: Type.String(),
});
export type OrphanReceipt = Static<typeof OrphanReceipt>;

/** Requests of `sms.api.receipt.<verb>`. */
export const RECEIPT_API = {
  orphans: Type.Object(
    {
      provider: Type.Optional(Type.String({ description: 'Only of this account.' })),
      olderThanSeconds: Type.Optional(
        Type.Integer({ minimum: 0, default: 60, description: 'The younger ones may only be early.' }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
      cursor: Type.Optional(Type.String({ maxLength: 512, description: 'nextCursor of the page before.' })),
      requestId: Type.Optional(Type.String({ maxLength: 128 })),
    },
    {
      additionalProperties: false,
      description: 'Receipts of the last 72 h that fit no message of ours, page by page.',
    },
  ),
} as const;

export const OrphansAnswer = Type.Object({
  orphans: Type.Array(OrphanReceipt),
  nextCursor: Type.Optional(Type.String()),
});
export type OrphansAnswer = Static<typeof OrphansAnswer>;
