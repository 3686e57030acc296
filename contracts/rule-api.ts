import Type, { type Static } from 'typebox';
import { commandMeta } from './commands.ts';
import { Finding } from './errors.ts';
import { TRIGGER_SOURCE_PATTERN } from './subjects.ts';

const { requestId, operatorId, reason } = commandMeta;

export const RULE_ID_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
const RuleId = Type.String({
  pattern: RULE_ID_PATTERN,
  description: 'Name of the rule: 1 to 64 of A-Z, a-z, 0-9, _ and -.',
});
const TriggerSource = Type.String({
  pattern: TRIGGER_SOURCE_PATTERN,
  maxLength: 256,
  description: 'What stands behind `sms.trigger.`: tokens of A-Z, a-z, 0-9, _ and -, separated by dots.',
});

/** Commands that a rule may give: every one that people give. */
export const RULE_VERBS = [
  'create',
  'update',
  'start',
  'pause',
  'resume',
  'retry',
  'clone',
  'abort',
  'delete',
  'validate',
  'dry-run',
  'reconcile',
] as const;

const Scalar = Type.Union([Type.String({ maxLength: 1_000 }), Type.Number(), Type.Boolean(), Type.Null()]);

/** What one field of the event has to be; exactly one of `equals`, `oneOf` and `exists`. */
export const RuleCondition = Type.Object(
  {
    field: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'Path in the event: `order.items.0.sku`.',
    }),
    equals: Type.Optional(Scalar),
    oneOf: Type.Optional(Type.Array(Scalar, { minItems: 1, maxItems: 256 })),
    exists: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RuleCondition = Static<typeof RuleCondition>;

export const RuleCommand = Type.Object(
  {
    verb: Type.Enum([...RULE_VERBS]),
    batchId: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'Which batch; as `order-${event.order.id}`.',
    }),
    body: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          'Body of the command. A text that is `${event.…}` as a whole becomes the field as it is; within a text, its text.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type RuleCommand = Static<typeof RuleCommand>;

const ruleFields = {
  source: TriggerSource,
  match: Type.Optional(
    Type.Array(RuleCondition, { maxItems: 32, description: 'All of them have to hold; none: every event.' }),
  ),
  command: RuleCommand,
  enabled: Type.Optional(Type.Boolean({ default: true })),
  description: Type.Optional(Type.String({ maxLength: 1_000 })),
};

/** What an event of a source becomes. */
export const RuleDefinition = Type.Object(ruleFields, { additionalProperties: false });
export type RuleDefinition = Static<typeof RuleDefinition>;

export const RuleView = Type.Object(
  {
    id: RuleId,
    ...ruleFields,
    version: Type.Integer({ minimum: 1 }),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  { additionalProperties: false, description: 'A rule: which events of a source become which command.' },
);
export type RuleView = Static<typeof RuleView>;

const asked = { requestId, operatorId, reason };

/** Requests of `sms.api.rule.<verb>`. */
export const RULE_API = {
  create: Type.Object(
    { id: RuleId, rule: RuleDefinition, ...asked },
    {
      additionalProperties: false,
      description: 'Makes a rule. The same create twice is one rule; another under its ID is refused.',
    },
  ),
  get: Type.Object({ id: RuleId, requestId }, { additionalProperties: false, description: 'One rule.' }),
  list: Type.Object(
    {
      source: Type.Optional(TriggerSource),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
      cursor: Type.Optional(Type.String({ maxLength: 64, description: '`nextCursor` of the page before.' })),
      requestId,
    },
    { additionalProperties: false, description: 'Rules by ID, page by page.' },
  ),
  update: Type.Object(
    {
      id: RuleId,
      patch: Type.Partial(RuleDefinition, { additionalProperties: false, minProperties: 1 }),
      expectedVersion: commandMeta.expectedVersion,
      ...asked,
    },
    {
      additionalProperties: false,
      description: 'Changes fields of a rule; `command` and `match` as a whole.',
    },
  ),
  delete: Type.Object(
    { id: RuleId, ...asked },
    { additionalProperties: false, description: 'Removes a rule.' },
  ),
  test: Type.Object(
    {
      source: TriggerSource,
      event: Type.Record(Type.String(), Type.Unknown()),
      requestId,
    },
    {
      additionalProperties: false,
      description: 'Which commands an event would become, or why none: nothing is sent.',
    },
  ),
} as const;

export const RuleListAnswer = Type.Object(
  { rules: Type.Array(RuleView), nextCursor: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
export type RuleListAnswer = Static<typeof RuleListAnswer>;

export const RuleDeleted = Type.Object(
  { id: RuleId, deleted: Type.Boolean({ description: 'false: there was none.' }) },
  { additionalProperties: false },
);

export const RuleTestAnswer = Type.Object(
  {
    commands: Type.Array(
      Type.Object(
        {
          rule: RuleId,
          batchId: Type.String(),
          verb: Type.String(),
          body: Type.Record(Type.String(), Type.Unknown()),
        },
        { additionalProperties: false },
      ),
    ),
    refused: Type.Optional(
      Type.Object(
        { reason: Type.String(), errors: Type.Array(Finding) },
        { additionalProperties: false, description: 'Why the event would go to the dead letters.' },
      ),
    ),
  },
  { additionalProperties: false },
);
export type RuleTestAnswer = Static<typeof RuleTestAnswer>;
