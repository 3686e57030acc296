import type {
  BatchEvent,
  BatchState,
  BatchStatus,
  PhaseEvent,
  PhaseStatus,
} from '../../../contracts/states.ts';

/** What a row of the table may start from or lead to. `*` statuses are those of the phase that runs. */
export type Place =
  | { phase: null; status: BatchStatus }
  | { phase: 'current' | 'first' | 'next' | 'statistics'; status: PhaseStatus };

export interface TransitionRow {
  /** A whole-batch event, or the suffix of a phase's: `Pause` of `preparation` is `PreparationPause`. */
  event: BatchEvent | PhaseEvent;
  from: readonly Place[];
  to: readonly Place[];
  when: string;
}

const whole = (...statuses: BatchStatus[]): Place[] => statuses.map((status) => ({ phase: null, status }));
const current = (...statuses: PhaseStatus[]): Place[] =>
  statuses.map((status) => ({ phase: 'current', status }));

const anyPhase = current('Ready', 'Running', 'Pausing', 'Paused', 'Failed');

/** Every transition of a batch. The README's diagram and docs/states.md are generated from it. */
export const TRANSITIONS: readonly TransitionRow[] = [
  { event: 'Create', from: [], to: whole('Pending'), when: 'create' },
  {
    event: 'Schedule',
    from: whole('Pending'),
    to: whole('Scheduled'),
    when: 'start, or resume, with a scheduleTime ahead',
  },
  {
    event: 'Unschedule',
    from: whole('Scheduled'),
    to: whole('Pending'),
    when: 'pause; or scheduleTime has come, but the configuration does not hold, or long ago',
  },
  {
    event: 'InitialExecute',
    from: whole('Pending', 'Scheduled'),
    to: [{ phase: 'first', status: 'Ready' }],
    when: 'start, or scheduleTime has come',
  },
  { event: 'Execute', from: current('Ready'), to: current('Running'), when: 'tasks are handed out' },
  {
    event: 'Pause',
    from: current('Ready', 'Running'),
    to: current('Pausing'),
    when: 'pause, or the batch stops itself',
  },
  {
    event: 'Paused',
    from: current('Pausing'),
    to: current('Paused'),
    when: 'every task that was out has answered',
  },
  { event: 'Resume', from: current('Paused'), to: current('Running'), when: 'resume' },
  {
    event: 'Complete',
    from: current('Running'),
    to: [{ phase: 'next', status: 'Ready' }],
    when: 'every task is done, and another step follows',
  },
  {
    event: 'Fail',
    from: current('Running', 'Pausing'),
    to: current('Failed'),
    when: 'a task failed, or no progress',
  },
  { event: 'Retry', from: current('Failed'), to: current('Running'), when: 'retry' },
  { event: 'Succeed', from: current('Running'), to: whole('Succeeded'), when: 'the last step is done' },
  {
    event: 'Expire',
    from: [...whole('Pending', 'Scheduled'), ...anyPhase],
    to: [...whole('Failed'), { phase: 'statistics', status: 'Running' }],
    when: 'notAfter has passed',
  },
  {
    event: 'GiveUp',
    from: current('Failed'),
    to: [...whole('Failed'), { phase: 'statistics', status: 'Running' }],
    when: 'a failed phase was not retried in time',
  },
  {
    event: 'Expired',
    from: [{ phase: 'statistics', status: 'Running' }],
    to: whole('Failed'),
    when: 'the last count is stored',
  },
  {
    event: 'Abort',
    from: [...whole('Pending', 'Scheduled'), ...anyPhase],
    to: whole('Aborting'),
    when: 'abort',
  },
  { event: 'Aborted', from: whole('Aborting'), to: whole('Aborted'), when: 'what was out is accounted' },
  {
    event: 'Restore',
    from: [...whole('Pending', 'Scheduled'), ...anyPhase],
    to: [...whole('Pending'), ...current('Pausing', 'Paused')],
    when: 'reconcile with `restored`: MongoDB was set back to an earlier copy; what ran is held',
  },
];

const rows = new Map(TRANSITIONS.map((row) => [row.event, row]));

const fits = (place: Place, state: BatchState): boolean =>
  place.status === state.status && (place.phase === null) === (state.phase === null);

/** Whether the table has this transition; where it has not, the caller has a fault. */
export function permits(event: BatchEvent | PhaseEvent, from: BatchState | null, to: BatchState): boolean {
  const row = rows.get(event);
  if (!row) return false;
  const starts = from === null ? row.from.length === 0 : row.from.some((place) => fits(place, from));
  const ends = row.to.some(
    (place) => fits(place, to) && (place.phase !== 'statistics' || to.phase === 'statistics'),
  );
  return starts && ends;
}
