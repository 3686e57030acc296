import Type, { type Static, type TSchema } from 'typebox';
import {
  BatchDefinition,
  BatchInput,
  BatchPatch,
  InlineRecipient,
  MAX_INLINE_RECIPIENTS,
  StepChoice,
} from './batch.ts';
import { BatchId } from './ids.ts';
import { BatchOrigin } from './origin.ts';
import { OUTCOMES } from './outcomes.ts';
import { StepDone, StepFailed, StepYielded } from './steps.ts';

/** Fields that any command may carry beside its own. */
export const commandMeta = {
  requestId: Type.Optional(
    Type.String({ maxLength: 128, description: 'Yours; comes back in events and history.' }),
  ),
  operatorId: Type.Optional(Type.String({ maxLength: 128, description: 'Who asks.' })),
  reason: Type.Optional(Type.String({ maxLength: 1_000, description: 'Why; kept in the history.' })),
  expectedVersion: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Refused if the batch has another.' }),
  ),
};

const command = <P extends Record<string, TSchema>>(fields: P, description: string) =>
  Type.Object({ ...fields, ...commandMeta }, { additionalProperties: false, description });

/** Which recipients of a finished or running batch a child batch takes. */
export const RecipientFilter = Type.Object(
  {
    outcomes: Type.Optional(
      Type.Array(Type.Enum(OUTCOMES), {
        minItems: 1,
        maxItems: OUTCOMES.length,
      }),
    ),
    codes: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), {
        minItems: 1,
        maxItems: 64,
        description: 'Error codes, as 0x0000000B.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type RecipientFilter = Static<typeof RecipientFilter>;

/**
 * Where a child batch takes its recipients from: those of the parent that the filter names (child chunk k from parent
 * chunk k alone). A dry run has no filter: it takes the definition's own table, or the inline recipients again.
 */
export const ParentRef = Type.Object(
  { batchId: BatchId, incarnation: Type.String(), filter: Type.Optional(RecipientFilter) },
  { additionalProperties: false },
);
export type ParentRef = Static<typeof ParentRef>;

/** One schema a verb: the body of `sms.cmd.<batchId>.<verb>`. */
export const COMMANDS = {
  create: command(
    {
      batch: BatchInput,
      start: Type.Optional(Type.Boolean({ description: 'Start it in the same turn.' })),
      origin: Type.Optional(BatchOrigin),
    },
    'Creates the batch. The same create twice is one batch; another body under the same ID is a conflict.',
  ),
  'create-child': command(
    {
      parent: ParentRef,
      batch: BatchDefinition,
      recipients: Type.Optional(Type.Array(InlineRecipient, { maxItems: MAX_INLINE_RECIPIENTS })),
      start: Type.Optional(Type.Boolean()),
      dryRun: Type.Optional(Type.Boolean()),
    },
    'Creates a batch from another; sent by the parent (retry by filter, clone, dry-run).',
  ),
  update: command({ patch: BatchPatch }, 'Changes fields; a table says which in which state.'),
  delete: command({}, 'Removes an unstarted or finished batch and all that belongs to it.'),
  start: command(
    {
      steps: Type.Optional(
        Type.Array(StepChoice, { maxItems: 32, description: 'The chain, in place of the batch’s own.' }),
      ),
    },
    'Fires InitialExecute: the first phase begins.',
  ),
  pause: command({}, 'Holds the phase that runs: nothing leaves one second later. A Scheduled batch waits.'),
  resume: command({}, 'Goes on where it stopped.'),
  retry: command(
    {
      filter: Type.Optional(RecipientFilter),
      childId: Type.Optional(BatchId),
      start: Type.Optional(Type.Boolean({ description: 'Start the child at once.' })),
    },
    'Without a filter: the failed step again. With one: a child batch of only those recipients.',
  ),
  clone: command(
    {
      childId: Type.Optional(BatchId),
      start: Type.Optional(Type.Boolean()),
      patch: Type.Optional(BatchPatch),
    },
    'A new batch with the remaining (pending) recipients of a finished one.',
  ),
  abort: command({}, 'Ends the batch; what is in flight is accounted, what is unsent stays pending.'),
  validate: command({}, 'Checks the configuration without starting; answered by the event `validated`.'),
  'dry-run': command(
    { childId: Type.Optional(BatchId) },
    'The whole preparation without sending, in a batch of its own.',
  ),
  reconcile: command(
    {
      progressAt: Type.Optional(Type.Integer({ description: 'Newest progress of a task, ms since 1970.' })),
      restored: Type.Optional(
        Type.Boolean({
          description:
            'MongoDB was set back to an earlier copy: the batch is held, and every recipient without an outcome becomes unknown, since what was sent after the copy cannot be known.',
        }),
      ),
    },
    'Looks again: deadlines, unpublished outbox, tasks without a message.',
  ),
  'step-done': StepDone,
  'step-failed': StepFailed,
  'step-yielded': StepYielded,
} as const;

export type Verb = keyof typeof COMMANDS;
export type CommandBody<V extends Verb> = Static<(typeof COMMANDS)[V]>;
export type Command = { [V in Verb]: { verb: V; body: CommandBody<V> } }[Verb];

export const VERBS = Object.keys(COMMANDS) as Verb[];
export const isVerb = (value: string): value is Verb => Object.hasOwn(COMMANDS, value);
