import Type, { type Static, type TSchema } from 'typebox';
import { type BATCH_API, BatchView } from './batch-api.ts';
import { ErrorBody, Finding } from './errors.ts';
import { BatchId } from './ids.ts';
import { OUTCOMES, OutcomeCounts } from './outcomes.ts';
import { RECEIPT_STATES } from './receipts.ts';
import { BatchStatus } from './stats-api.ts';

const time = Type.String({ description: 'RFC 3339, UTC.' });
const nextCursor = Type.Optional(Type.String({ description: 'For the next page; absent on the last one.' }));

export const BatchList = Type.Object(
  {
    batches: Type.Array(BatchView, { description: 'Without their history.' }),
    nextCursor,
  },
  { description: 'A page of batches, newest first.' },
);
export type BatchList = Static<typeof BatchList>;

/** Where several ids were named; one alone is answered with its batch, or the error. */
export const BatchesDeleted = Type.Object(
  {
    deleted: Type.Array(BatchId),
    refused: Type.Array(Type.Object({ id: BatchId, error: ErrorBody })),
  },
  { description: 'Which batches were deleted, and why the others were not.' },
);
export type BatchesDeleted = Static<typeof BatchesDeleted>;

export const BatchFindings = Type.Object(
  { findings: Type.Array(Finding, { description: 'None: it could be started.' }) },
  { description: 'Everything that is wrong with a batch.' },
);
export type BatchFindings = Static<typeof BatchFindings>;

/** Where all batches were asked; one alone is answered with its batch, or the error. */
export const BatchesReconciled = Type.Object(
  {
    asked: Type.Integer({ description: 'Batches that have not ended.' }),
    refused: Type.Array(Type.Object({ id: BatchId, error: ErrorBody }), {
      description: 'Those that did not obey, 500 at most: ask again.',
    }),
    lost: Type.Optional(
      Type.Array(BatchId, {
        description:
          'With restored: batches of which SMS_EVENTS tells and MongoDB knows nothing, made after the copy; 500 at most. Do not create them again under the same ID: it would send again.',
      }),
    ),
  },
  { description: 'How many batches were asked to look again, and what is missing.' },
);
export type BatchesReconciled = Static<typeof BatchesReconciled>;

const place = {
  chunk: Type.Integer({ description: 'Number of the chunk in which it stands …' }),
  position: Type.Integer({ description: '… and its place there, from 0.' }),
};
const outcome = Type.Enum(OUTCOMES);

/** What preparation made of a batch, without sending it. */
export const DryRunReport = Type.Object({
  total: Type.Integer(),
  segmentHistogram: Type.Record(Type.String(), Type.Integer(), {
    description: 'Recipients by the number of segments that theirs takes.',
  }),
  encodings: Type.Record(Type.String(), Type.Integer(), { description: 'Recipients by encoding.' }),
  samples: Type.Array(
    Type.Object({
      phone: Type.String(),
      text: Type.String(),
      encoding: Type.String(),
      segments: Type.Integer(),
    }),
    { description: 'Some rendered messages.' },
  ),
  badRows: Type.Array(
    Type.Object({ phone: Type.String(), outcome: Type.String(), code: Type.String(), ...place }),
    { description: 'Those that would not be sent, up to a limit.' },
  ),
  badRowsTotal: Type.Integer({ description: 'How many there are in all.' }),
});
export type DryRunReport = Static<typeof DryRunReport>;

export const DryRunAnswer = Type.Object(
  {
    dryRunId: Type.String({ description: 'The shadow batch that did it.' }),
    state: Type.String({ description: 'Of the shadow; what is not Succeeded has its reason.' }),
    reason: BatchView.properties.reason,
    counts: Type.Optional(OutcomeCounts),
    report: Type.Union([DryRunReport, Type.Null()], {
      description: 'Null where it failed before preparation.',
    }),
  },
  { description: 'The report of a dry run.' },
);
export type DryRunAnswer = Static<typeof DryRunAnswer>;

const recipient = {
  outcome,
  code: Type.String({ description: 'Why, where it was not accepted: 0x0000000B, DUPLICATE, …; else empty.' }),
  messageIds: Type.Array(Type.String(), { description: 'As the carrier gave them, one a part.' }),
  at: Type.Optional(Type.String({ description: 'When the answer came.' })),
  receipt: Type.Optional(
    Type.Object({
      state: Type.Enum(RECEIPT_STATES),
      error: Type.String({ description: 'Of the network; empty = none.' }),
      at: Type.Optional(time),
    }),
  ),
  waiting: Type.Optional(
    Type.Object(
      { attempts: Type.Integer(), notBefore: time },
      { description: 'It was refused for now and will be sent again.' },
    ),
  ),
  resolvedBy: Type.Optional(
    Type.Union([Type.Literal('late-answer'), Type.Literal('receipt')], {
      description: 'What told that it was not unknown after all.',
    }),
  ),
  ...place,
};

export const RecipientList = Type.Object(
  {
    recipients: Type.Array(
      Type.Object({
        phone: Type.String({ description: 'Digits; `!<code> <as it was written>` where it is no number.' }),
        ...recipient,
      }),
    ),
    nextCursor,
  },
  { description: 'A page of the recipients that are prepared, in the order of the chunks.' },
);
export type RecipientList = Static<typeof RecipientList>;

/** Answer of `sms.api.recipient.get`. */
export const RecipientAnswer = Type.Object(
  {
    batchId: BatchId,
    msisdn: Type.String({ description: 'With its plus.' }),
    phone: Type.String({ description: 'Digits.' }),
    ...recipient,
    text: Type.String({ description: 'As it is sent.' }),
    segments: Type.Integer({ description: '0 = not to be sent.' }),
    encoding: Type.Union([Type.Literal('gsm7'), Type.Literal('ucs2'), Type.Null()]),
    duplicates: Type.Integer({ description: 'How often the number stands in the batch besides.' }),
  },
  { description: 'What happened to one number.' },
);
export type RecipientAnswer = Static<typeof RecipientAnswer>;

export const BatchTotals = Type.Object(
  {
    byState: Type.Array(
      Type.Object({
        state: Type.String({ description: 'Joined, as DeliveryRunning.' }),
        userID: Type.Union([Type.String(), Type.Null()]),
        batches: Type.Integer(),
        recipients: Type.Integer(),
      }),
    ),
    tasksOut: Type.Array(
      Type.Object({
        batchId: BatchId,
        step: Type.String(),
        task: Type.Integer(),
        holder: Type.Union([Type.String(), Type.Null()], {
          description: 'Host that has it; null = no one yet.',
        }),
        run: Type.String({ description: 'go, or hold where it has been told to stop.' }),
        since: time,
        progressAt: time,
      }),
      { description: 'Who holds which task, 200 at most.' },
    ),
  },
  { description: 'Batches and recipients by state and owner, and the tasks that are out.' },
);
export type BatchTotals = Static<typeof BatchTotals>;

/** What each verb of `sms.api.batch` answers. */
export const BATCH_ANSWERS = {
  create: BatchView,
  get: BatchView,
  list: BatchList,
  update: BatchView,
  delete: Type.Union([BatchView, BatchesDeleted], {
    description: 'The batch as it was, or for several ids which were deleted and why the others were not.',
  }),
  start: BatchView,
  pause: BatchView,
  resume: BatchView,
  retry: BatchView,
  clone: BatchView,
  abort: BatchView,
  reconcile: Type.Union([BatchView, BatchesReconciled], {
    description: 'The batch after its turn; for `all` how many were asked.',
  }),
  validate: BatchFindings,
  'dry-run': DryRunAnswer,
  status: BatchStatus,
  progress: BatchStatus,
  wait: BatchView,
  recipients: RecipientList,
  totals: BatchTotals,
} as const satisfies Record<keyof typeof BATCH_API, TSchema>;
