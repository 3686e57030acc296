import Type, { type Static } from 'typebox';
import { BatchDefinition, BatchInput } from './batch.ts';
import { COMMANDS, commandMeta, RecipientFilter } from './commands.ts';
import { type ErrorBody, Finding } from './errors.ts';
import { BatchId } from './ids.ts';
import { instant } from './instant.ts';
import { BatchOrigin } from './origin.ts';
import { OUTCOMES, OutcomeCounts, ReceiptCounts } from './outcomes.ts';

/** A batch as every call shows it: the definition's fields beside what the engine knows of it. */
export const BatchView = Type.Object(
  {
    id: BatchId,
    incarnation: Type.String(),
    version: Type.Integer(),
    state: Type.String({ description: 'Joined, as DeliveryRunning.' }),
    phase: Type.Union([Type.String(), Type.Null()]),
    status: Type.String(),
    ...Type.Partial(BatchDefinition).properties,
    chain: Type.Array(Type.String()),
    total: Type.Union([Type.Integer(), Type.Null()], { description: 'Null until the batch is partitioned.' }),
    counts: Type.Object(OutcomeCounts.properties, {
      description:
        'They sum to the total. As in status; in the answer to a command, tasks that are out count as pending.',
    }),
    receipts: Type.Optional(ReceiptCounts),
    resent: Type.Optional(
      Type.Integer({
        description: 'Sent again because an answer was lost (onInDoubt: resend); absent = none.',
      }),
    ),
    segments: Type.Optional(
      Type.Integer({ description: 'Prepared segments, and once delivery has begun the accepted ones.' }),
    ),
    reason: Type.Optional(
      Type.Object({
        code: Type.String(),
        message: Type.String(),
        errors: Type.Optional(Type.Array(Finding)),
      }),
    ),
    restored: Type.Optional(
      Type.Object(
        { at: Type.String(), unknown: Type.Integer() },
        {
          description:
            'MongoDB was set back to an earlier copy; `unknown`: recipients that may have been sent to since, as far as the tasks have told.',
        },
      ),
    ),
    parent: Type.Optional(Type.Object({ batchId: BatchId, filter: Type.Optional(RecipientFilter) })),
    origin: Type.Optional(BatchOrigin),
    dryRun: Type.Optional(Type.Boolean()),
    inlineRecipients: Type.Optional(Type.Integer()),
    stoppingTo: Type.Optional(Type.String()),
    tasks: Type.Optional(
      Type.Object({
        step: Type.String(),
        count: Type.Integer(),
        out: Type.Array(Type.Integer()),
        done: Type.Integer(),
      }),
    ),
    createdAt: Type.String(),
    updatedAt: Type.String(),
    startedAt: Type.Optional(Type.String()),
    endedAt: Type.Optional(Type.String()),
    deletedAt: Type.Optional(Type.String()),
    history: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
  },
  { description: 'A batch.' },
);
export type BatchView = Static<typeof BatchView>;

/** What the actor sends to `Sms-Reply-To` after its turn. */
export type CommandReply = { ok: true; batch: BatchView } | { ok: false; error: Static<typeof ErrorBody> };

const byId = <P extends Parameters<typeof Type.Object>[0]>(fields: P, description: string) =>
  Type.Object({ id: BatchId, ...fields }, { additionalProperties: false, description });

const commandOf = <P extends Parameters<typeof Type.Object>[0]>(command: { properties: P }) =>
  Type.Object({ id: BatchId, ...command.properties }, { additionalProperties: false });

const timeoutMs = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 600_000, description: 'How long the answer may take.' }),
);

/** Requests of `sms.api.batch.<verb>`. */
export const BATCH_API = {
  create: Type.Object(
    { id: Type.Optional(BatchId), batch: BatchInput, start: Type.Optional(Type.Boolean()), ...commandMeta },
    { additionalProperties: false, description: 'Creates a batch; without an id it gets a ULID.' },
  ),
  get: byId({ history: Type.Optional(Type.Boolean({ default: true })) }, 'One batch, with its history.'),
  list: Type.Object(
    {
      state: Type.Optional(
        Type.String({ description: 'As DeliveryRunning, or a whole status, as Running.' }),
      ),
      userID: Type.Optional(Type.String()),
      scope: Type.Optional(Type.String()),
      campaignID: Type.Optional(Type.String()),
      name: Type.Optional(Type.String({ description: 'The name begins with this.' })),
      createdFrom: Type.Optional(instant('RFC 3339.')),
      createdTo: Type.Optional(instant('RFC 3339.')),
      dryRuns: Type.Optional(Type.Boolean({ description: 'Also the shadows that dry runs leave.' })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
      cursor: Type.Optional(Type.String({ maxLength: 512, description: 'nextCursor of the page before.' })),
    },
    { additionalProperties: false, description: 'Batches, newest first, page by page.' },
  ),
  update: commandOf(COMMANDS.update),
  delete: Type.Object(
    {
      id: Type.Optional(BatchId),
      ids: Type.Optional(Type.Array(BatchId, { minItems: 1, maxItems: 500 })),
      ...commandMeta,
    },
    { additionalProperties: false, description: 'Deletes one batch (id) or many (ids).' },
  ),
  start: commandOf(COMMANDS.start),
  pause: commandOf(COMMANDS.pause),
  resume: commandOf(COMMANDS.resume),
  retry: commandOf(COMMANDS.retry),
  clone: commandOf(COMMANDS.clone),
  abort: commandOf(COMMANDS.abort),
  reconcile: Type.Object(
    {
      id: Type.Optional(BatchId),
      all: Type.Optional(
        Type.Boolean({ description: 'Every batch that has not ended, in place of one (id).' }),
      ),
      restored: COMMANDS.reconcile.properties.restored,
      ...commandMeta,
    },
    {
      additionalProperties: false,
      description:
        'Looks again. With restored, after MongoDB was set back to an earlier copy: holds the batch (id), or all of them; nobody without an outcome is sent to again.',
    },
  ),
  validate: Type.Object(
    { id: Type.Optional(BatchId), batch: Type.Optional(BatchInput) },
    {
      additionalProperties: false,
      description: 'Every finding about a batch, or about a definition not yet created.',
    },
  ),
  'dry-run': Type.Object(
    { id: BatchId, timeoutMs, ...commandMeta },
    {
      additionalProperties: false,
      description: 'The whole preparation without sending; answers with its report.',
    },
  ),
  status: byId({}, 'State, counts and progress in one call, from Redis where it answers.'),
  progress: byId({}, 'Counts per outcome and phase, percent, rate now, time left, what limits it.'),
  wait: byId(
    {
      states: Type.Optional(
        Type.Array(Type.String(), {
          minItems: 1,
          description: 'Joined states; default: the end, Paused or Failed.',
        }),
      ),
      timeoutMs,
    },
    'Answers when the batch is in one of the states, and waits for one that is not created yet: makes a chain synchronous.',
  ),
  recipients: byId(
    {
      outcomes: Type.Optional(Type.Array(Type.Enum(OUTCOMES), { minItems: 1 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000, default: 500 })),
      cursor: Type.Optional(Type.String({ maxLength: 64 })),
    },
    'Recipients and what became of them, page by page.',
  ),
  totals: Type.Object(
    {
      userID: Type.Optional(Type.String()),
      scope: Type.Optional(Type.String()),
      createdFrom: Type.Optional(instant('RFC 3339.')),
      createdTo: Type.Optional(instant('RFC 3339.')),
    },
    {
      additionalProperties: false,
      description: 'Across batches: by state and owner; who holds which task since when.',
    },
  ),
} as const;

/** Request of `sms.api.recipient.get`. */
export const RecipientGet = Type.Object(
  {
    batchId: BatchId,
    msisdn: Type.String({ minLength: 3, maxLength: 32, description: 'Any common notation.' }),
  },
  { additionalProperties: false, description: 'What happened to one number, with its history.' },
);
