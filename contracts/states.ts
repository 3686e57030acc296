import Type from 'typebox';

/** Built-in steps, in the only order in which a chain may name them. */
export const BUILT_IN_STEPS = [
  'validation',
  'partition',
  'preparation',
  'delivery',
  'statistics',
  'cleanup',
] as const;
export type BuiltInStep = (typeof BUILT_IN_STEPS)[number];

export const isBuiltInStep = (type: string): type is BuiltInStep =>
  (BUILT_IN_STEPS as readonly string[]).includes(type);

/** The chain of a batch that names none. */
export const DEFAULT_CHAIN = ['validation', 'preparation', 'delivery', 'statistics'] as const;

export const PHASE_STATUSES = ['Ready', 'Running', 'Pausing', 'Paused', 'Failed'] as const;
export type PhaseStatus = (typeof PHASE_STATUSES)[number];

export const BATCH_STATUSES = ['Pending', 'Scheduled', 'Succeeded', 'Failed', 'Aborting', 'Aborted'] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];

export const FINAL_STATUSES = ['Succeeded', 'Failed', 'Aborted'] as const satisfies readonly BatchStatus[];

/**
 * `phase` is the step type that runs, or null where the state is the whole batch's.
 * Shown joined: `{phase: 'preparation', status: 'Running'}` is `PreparationRunning`.
 */
export const BatchState = Type.Union([
  Type.Object({ phase: Type.Null(), status: Type.Enum(BATCH_STATUSES) }, { additionalProperties: false }),
  Type.Object({ phase: Type.String(), status: Type.Enum(PHASE_STATUSES) }, { additionalProperties: false }),
]);
export type BatchState = { phase: null; status: BatchStatus } | { phase: string; status: PhaseStatus };

/** `preparation` → `Preparation`, `credit-check` → `CreditCheck`. */
export const phaseName = (stepType: string): string =>
  stepType
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

export const stateName = (state: BatchState): string =>
  state.phase === null ? state.status : `${phaseName(state.phase)}${state.status}`;

export const isFinal = (state: BatchState): boolean =>
  state.phase === null && (FINAL_STATUSES as readonly string[]).includes(state.status);

/** The suffixes of a phase's events: `PreparationExecute`, `PreparationPause`, … */
export const PHASE_EVENTS = ['Execute', 'Pause', 'Paused', 'Resume', 'Complete', 'Fail', 'Retry'] as const;
export type PhaseEvent = (typeof PHASE_EVENTS)[number];

/** Events of the whole batch. */
export const BATCH_EVENTS = [
  'Create',
  'Schedule',
  'Unschedule',
  'InitialExecute',
  'Succeed',
  'Expire',
  'Expired',
  'GiveUp',
  'Abort',
  'Aborted',
  'Restore',
] as const;
export type BatchEvent = (typeof BATCH_EVENTS)[number];
