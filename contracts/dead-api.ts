import Type, { type Static } from 'typebox';
import { commandMeta } from './commands.ts';
import { ErrorBody } from './errors.ts';
import { STREAMS } from './subjects.ts';

const { requestId, operatorId, reason } = commandMeta;

const LetterId = Type.Integer({ minimum: 1, description: 'Its sequence in SMS_DEAD.' });

const letterFields = {
  id: LetterId,
  stream: Type.Union([Type.String(), Type.Null()], { description: 'The stream it was taken from.' }),
  subject: Type.Union([Type.String(), Type.Null()], { description: 'The subject it had there.' }),
  reason: Type.String(),
  deliveries: Type.Union([Type.Integer(), Type.Null()], { description: 'How often it was handed out.' }),
  storedAt: Type.Union([Type.String(), Type.Null()], { description: 'When it was first published.' }),
  buriedAt: Type.String(),
  bytes: Type.Integer({ minimum: 0 }),
};

/** A message that could not be handled. */
export const DeadLetterView = Type.Object(letterFields, { additionalProperties: false });
export type DeadLetterView = Static<typeof DeadLetterView>;

/** Largest body that `get` shows; the rest is in the stream. */
export const MAX_SHOWN_BYTES = 256 * 1024;

export const DeadLetter = Type.Object(
  {
    ...letterFields,
    headers: Type.Record(Type.String(), Type.String()),
    body: Type.String(),
    encoding: Type.Enum(['utf8', 'base64'], { description: 'base64 where the body is no text.' }),
    truncated: Type.Optional(Type.Boolean({ description: 'Only the first 256 kB are shown.' })),
  },
  { additionalProperties: false, description: 'One dead letter with its body, as it was.' },
);
export type DeadLetter = Static<typeof DeadLetter>;

export const MAX_LETTERS = 500;
const LetterIds = Type.Array(LetterId, { minItems: 1, maxItems: MAX_LETTERS });

/** Requests of `sms.api.dead.<verb>`. */
export const DEAD_API = {
  list: Type.Object(
    {
      stream: Type.Optional(
        Type.Enum(
          Object.values(STREAMS).filter((name) => name !== STREAMS.dead),
          { description: 'Only those taken from this stream.' },
        ),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LETTERS, default: 100 })),
      cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,18}$', description: '`nextCursor` before.' })),
      requestId,
    },
    { additionalProperties: false, description: 'Dead letters with their reasons, oldest first.' },
  ),
  get: Type.Object(
    { id: LetterId, requestId },
    { additionalProperties: false, description: 'One dead letter with its body and headers.' },
  ),
  replay: Type.Object(
    { ids: LetterIds, requestId, operatorId, reason },
    {
      additionalProperties: false,
      description: 'Publishes dead letters again as they were; each goes once it is stored in its stream.',
    },
  ),
  drop: Type.Object(
    { ids: LetterIds, requestId, operatorId, reason },
    { additionalProperties: false, description: 'Removes dead letters for good.' },
  ),
} as const;

export const DeadListAnswer = Type.Object(
  {
    letters: Type.Array(DeadLetterView),
    total: Type.Integer({ minimum: 0, description: 'In SMS_DEAD, whatever their stream.' }),
    nextCursor: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export type DeadListAnswer = Static<typeof DeadListAnswer>;

const refused = Type.Array(Type.Object({ id: LetterId, error: ErrorBody }, { additionalProperties: false }), {
  description: 'Those that stay, each with the reason.',
});

export const DeadReplayAnswer = Type.Object(
  {
    replayed: Type.Array(
      Type.Object({ id: LetterId, subject: Type.String() }, { additionalProperties: false }),
    ),
    refused,
  },
  { additionalProperties: false },
);
export type DeadReplayAnswer = Static<typeof DeadReplayAnswer>;

export const DeadDropAnswer = Type.Object(
  { dropped: Type.Array(LetterId), refused },
  { additionalProperties: false },
);
export type DeadDropAnswer = Static<typeof DeadDropAnswer>;
