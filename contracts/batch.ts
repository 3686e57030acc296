import Type, { type Static } from 'typebox';
import { StepType, TableName } from './ids.ts';
import { instant } from './instant.ts';

/** Largest text before segmentation; 255 parts of 153 septets is SMPP's own end, nobody sends that. */
export const MAX_CONTENT_CHARACTERS = 4_000;
export const MAX_INLINE_RECIPIENTS = 1_000;
export const MAX_PARTS_LIMIT = 20;

const text = (maxLength: number, description: string) => Type.String({ maxLength, description });

export const MESSAGE_TYPES = ['SMS', 'MMS', 'VOICE'] as const;
export const MESSAGE_CATEGORIES = ['marketing', 'transactional'] as const;
export const ENCODINGS = ['auto', 'gsm7', 'ucs2'] as const;

/** A recipient given inline: the number and its template variables. */
export const InlineRecipient = Type.Object(
  {
    phone: Type.String({ minLength: 1, maxLength: 64, description: 'Any common notation; becomes E.164.' }),
    variables: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 2_000 }))),
  },
  { additionalProperties: false },
);
export type InlineRecipient = Static<typeof InlineRecipient>;

/** A condition under which a step is passed over; checked when its turn comes. */
export const SkipCondition = Type.Object(
  {
    /** A fact of the batch, compared with `equals`. */
    field: Type.Union([
      Type.Literal('messageCategory'),
      Type.Literal('source'),
      Type.Literal('region'),
      Type.Literal('dryRun'),
      Type.Literal('tags'),
    ]),
    equals: Type.Union([Type.String(), Type.Boolean()]),
  },
  {
    additionalProperties: false,
    description: 'Passes the step over when the field has (or contains) the value.',
  },
);
export type SkipCondition = Static<typeof SkipCondition>;

export const StepChoice = Type.Union([
  StepType,
  Type.Object(
    {
      type: StepType,
      config: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown())),
      timeoutMs: Type.Optional(
        Type.Integer({
          minimum: 1_000,
          maximum: 7 * 24 * 3_600_000,
          description: 'Without progress, in ms.',
        }),
      ),
      skipIf: Type.Optional(SkipCondition),
    },
    { additionalProperties: false },
  ),
]);
export type StepChoice = Static<typeof StepChoice>;

const definitionFields = {
  name: Type.String({ minLength: 1, maxLength: 256, description: 'Any language.' }),
  description: Type.Optional(text(2_000, 'For people.')),
  tableStorageName: Type.Optional(TableName),
  content: Type.String({
    minLength: 1,
    maxLength: MAX_CONTENT_CHARACTERS,
    description: 'Mustache template over the columns of the table.',
  }),
  contentSignature: Type.Optional(text(64, 'As 【brand】; counted into the segments.')),
  messageType: Type.Optional(Type.Enum(MESSAGE_TYPES, { default: 'SMS' })),
  messageCategory: Type.Optional(Type.Enum(MESSAGE_CATEGORIES, { default: 'transactional' })),
  steps: Type.Optional(Type.Array(StepChoice, { maxItems: 32 })),
  providers: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      maxItems: 8,
      description: 'The first is the default.',
    }),
  ),
  sender: Type.Optional(text(21, 'Source address: digits, or up to 11 letters and digits.')),
  extCode: Type.Optional(
    Type.String({ pattern: '^[0-9]{0,12}$', description: 'Digits appended to the sender.' }),
  ),
  defaultCountry: Type.Optional(
    Type.String({
      pattern: '^[A-Z]{2}$',
      description: 'ISO 3166 country of numbers without a country code.',
    }),
  ),
  ratePerSecond: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1_000_000,
      description: 'Segments a second for this batch.',
    }),
  ),
  maxParts: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PARTS_LIMIT, default: 10 })),
  encoding: Type.Optional(Type.Enum(ENCODINGS, { default: 'auto' })),
  validitySeconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 7 * 24 * 3_600 })),
  maxConcurrency: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 256, description: 'Tasks of this batch that are out at once.' }),
  ),
  failureThreshold: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'Share of refusals that pauses the batch.' }),
  ),
  notAfter: Type.Optional(instant('RFC 3339; nothing leaves later.')),
  autoTrigger: Type.Optional(
    Type.Boolean({ description: 'Starts by itself: at scheduleTime, else at once.' }),
  ),
  scheduleTime: Type.Optional(instant('RFC 3339.')),
  userID: Type.Optional(text(128, 'Owner.')),
  scope: Type.Optional(text(128, 'Tenant label.')),
  campaignID: Type.Optional(text(128, '')),
  campaignName: Type.Optional(text(256, '')),
  source: Type.Optional(text(128, '')),
  region: Type.Optional(text(64, '')),
  tags: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 32 })),
  onInDoubt: Type.Optional(
    Type.Union([Type.Literal('hold'), Type.Literal('resend')], {
      default: 'hold',
      description: 'What becomes of a recipient whose answer was lost.',
    }),
  ),
};

/** What the user says of a batch. Exactly one of `tableStorageName` and `recipients` (checked by `validate`). */
export const BatchDefinition = Type.Object(definitionFields, { additionalProperties: false });
export type BatchDefinition = Static<typeof BatchDefinition>;

/** A definition with its inline recipients, as `create` takes it. */
export const BatchInput = Type.Object(
  {
    ...definitionFields,
    recipients: Type.Optional(Type.Array(InlineRecipient, { maxItems: MAX_INLINE_RECIPIENTS })),
  },
  { additionalProperties: false },
);
export type BatchInput = Static<typeof BatchInput>;

/** Any part of a definition, as `update` takes it. */
export const BatchPatch = Type.Partial(BatchDefinition, { additionalProperties: false, minProperties: 1 });
export type BatchPatch = Static<typeof BatchPatch>;
