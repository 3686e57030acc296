import Type, { type Static } from 'typebox';
import { Finding } from './errors.ts';
import { BatchId, STEP_TYPE_PATTERN } from './ids.ts';
import { OutcomeCounts, ReceiptCounts } from './outcomes.ts';

const taskFields = {
  step: Type.String({ pattern: STEP_TYPE_PATTERN }),
  task: Type.Integer({ minimum: 0, description: 'Number of the task within its step.' }),
  epoch: Type.Integer({ minimum: 1, description: 'Raised by resume and retry; another epoch is dropped.' }),
  incarnation: Type.String({ minLength: 1, maxLength: 16 }),
};

/** The message on `sms.step.<type>.<batchId>.<task>-<epoch>`. */
export const StepTask = Type.Object(
  {
    batchId: BatchId,
    ...taskFields,
    config: Type.Record(Type.String(), Type.Unknown(), {
      description: 'The step’s configuration in the chain.',
    }),
    requestId: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export type StepTask = Static<typeof StepTask>;

export const SegmentHistogram = Type.Record(
  Type.String({ pattern: '^[0-9]+$' }),
  Type.Integer({ minimum: 0 }),
);

/** What a step found out; each built-in fills its own part, a custom step may add `data`. */
export const StepResult = Type.Object(
  {
    /** `partition`: the size of the batch. */
    total: Type.Optional(Type.Integer({ minimum: 0 })),
    chunks: Type.Optional(Type.Integer({ minimum: 0 })),
    tasks: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Tasks of each chunked step that follows.' }),
    ),
    /** `preparation`, `delivery`, `statistics`: recipients by outcome within the task (or the batch). */
    counts: Type.Optional(OutcomeCounts),
    receipts: Type.Optional(ReceiptCounts),
    segments: Type.Optional(Type.Integer({ minimum: 0 })),
    segmentHistogram: Type.Optional(SegmentHistogram),
    encodings: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0 }))),
    resent: Type.Optional(Type.Integer({ minimum: 0 })),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);
export type StepResult = Static<typeof StepResult>;

const answerMeta = { requestId: Type.Optional(Type.String({ maxLength: 128 })) };

/** `sms.cmd.<batchId>.step-done`: the task's work is done and stored. */
export const StepDone = Type.Object(
  { ...taskFields, ...answerMeta, result: Type.Optional(StepResult) },
  { additionalProperties: false },
);
export type StepDone = Static<typeof StepDone>;

/** `sms.cmd.<batchId>.step-failed`: the task cannot go on; the phase fails and can be retried. */
export const StepFailed = Type.Object(
  {
    ...taskFields,
    ...answerMeta,
    code: Type.String({ maxLength: 64 }),
    message: Type.String({ maxLength: 2_000 }),
    errors: Type.Optional(Type.Array(Finding, { maxItems: 1_000 })),
  },
  { additionalProperties: false },
);
export type StepFailed = Static<typeof StepFailed>;

/** `sms.cmd.<batchId>.step-yielded`: stopped before the end, everything accounted; `stop` asks for a pause. */
export const StepYielded = Type.Object(
  {
    ...taskFields,
    ...answerMeta,
    result: Type.Optional(StepResult),
    stop: Type.Optional(
      Type.Object(
        { code: Type.String({ maxLength: 64 }), message: Type.String({ maxLength: 2_000 }) },
        {
          additionalProperties: false,
          description: 'Why everyone else would fail as well: the batch pauses itself.',
        },
      ),
    ),
  },
  { additionalProperties: false },
);
export type StepYielded = Static<typeof StepYielded>;
