import { BATCH_STATUSES, PHASE_EVENTS, PHASE_STATUSES, phaseName } from '../../contracts/states.ts';
import { type Place, TRANSITIONS, type TransitionRow } from '../../services/batch/fsm/transitions.ts';
import { NOTE, page, table } from './markdown.ts';
import { stateDiagram } from './state-diagram.ts';

const PLACES = {
  current: '<Phase>',
  first: '<first Phase>',
  next: '<next Phase>',
  statistics: phaseName('statistics'),
} as const;

const placeName = ({ phase, status }: Place): string => `\`${phase === null ? '' : PLACES[phase]}${status}\``;

const eventName = ({ event }: TransitionRow): string =>
  (PHASE_EVENTS as readonly string[]).includes(event) ? `\`<Phase>${event}\`` : `\`${event}\``;

const places = (list: readonly Place[]): string => (list.length === 0 ? '—' : list.map(placeName).join(', '));

/** What the system before this one said, and what it is called here. */
const OLD_WORDS: readonly (readonly [old: string, here: string])[] = [
  ['`sms_batch_initial`', '`Pending`'],
  [
    '`sms_batch_preparation_ready`, `_running`, `_paused` (and `delivery_…`)',
    '`PreparationReady`, `PreparationRunning`, `PreparationPaused` (and `Delivery…`)',
  ],
  ['`preparation_completed`', 'the next phase’s `Ready`'],
  ['`sms_batch_succeeded`, `COMPLETED_SUCCEEDED`, `completed`', '`Succeeded`'],
  [
    '`COMPLETED_FAILED`, `sms_batch_failed`, `failed`',
    '`<Phase>Failed` while it can be retried, `Failed` when given up',
  ],
  [
    '`CANCELED`, `sms_batch_aborted`, `aborted`',
    '`Aborted`: final; `clone` starts a new batch with the remaining recipients',
  ],
  ['row `sent`, `failed`, `canceled`', '`accepted`, `rejected`, left `pending` and counted at the abort'],
];

/** docs/states.md */
export const statesPage = (): string =>
  page(
    NOTE,
    '# States of a batch',
    'A state is `{phase, status}`, shown joined: `{"phase": "preparation", "status": "Running"}` is `PreparationRunning`. ' +
      'Every step of the chain is a phase, custom ones too: `credit-check` gives `CreditCheckRunning`.',
    `Statuses of a phase: ${PHASE_STATUSES.map((status) => `\`${status}\``).join(', ')}. ` +
      `States of the whole batch: ${BATCH_STATUSES.map((status) => `\`${status}\``).join(', ')}; ` +
      '`Succeeded`, `Failed` and `Aborted` are final.',
    stateDiagram(),
    '## Every transition',
    'Each is an event `state-changed`, and an entry of the batch’s history with who asked for it, and why. `<Phase>` is the ' +
      'phase that runs: `PreparationPause`, `DeliveryPause`.',
    table(
      ['event', 'from', 'to', 'when'],
      TRANSITIONS.map((row) => [eventName(row), places(row.from), places(row.to), row.when]),
    ),
    '## Words of the old system',
    table(['there', 'here'], OLD_WORDS),
  );
