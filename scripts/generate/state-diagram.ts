import { PHASE_STATUSES } from '../../contracts/states.ts';
import { type Place, TRANSITIONS, type TransitionRow } from '../../services/batch/fsm/transitions.ts';

/** Mermaid knows one namespace: a phase's Failed and the batch's are two states. */
const idOf = ({ phase, status }: Place): string => {
  if (phase === null) return status;
  return phase === 'statistics' ? 'LastCount' : `Phase${status}`;
};

const isWhole = ({ phase }: Place) => phase === null;

/** All states of a phase at once are the phase itself. */
function startsOf({ from }: TransitionRow): { id: string; whole: boolean }[] {
  const phases = from.filter((place) => !isWhole(place));
  const whole = from.filter(isWhole).map((place) => ({ id: idOf(place), whole: true }));
  if (from.length === 0) return [{ id: '[*]', whole: true }];
  if (phases.length === PHASE_STATUSES.length) return [...whole, { id: 'Phase', whole: false }];
  return [...whole, ...phases.map((place) => ({ id: idOf(place), whole: false }))];
}

function arrowsOf(row: TransitionRow): { within: boolean; text: string }[] {
  const label = row.to.some(({ phase }) => phase === 'next') ? `${row.event}, the next phase` : row.event;
  return startsOf(row).flatMap((start) =>
    row.to
      // Before the first phase there is nothing to count.
      .filter((place) => !(start.whole && place.phase === 'statistics'))
      .map((place) => ({
        within: start.id.startsWith('Phase') && start.id !== 'Phase' && idOf(place).startsWith('Phase'),
        text: `${start.id} --> ${idOf(place)}: ${label}`,
      })),
  );
}

/** The states of a batch as a Mermaid diagram; the phase stands for every step of the chain. */
export function stateDiagram(): string {
  const arrows = TRANSITIONS.flatMap(arrowsOf);
  const finals = ['Succeeded', 'Failed', 'Aborted'];
  return [
    '```mermaid',
    'stateDiagram-v2',
    '  state "each phase: Validation, Partition, Preparation, Delivery, Statistics, …" as Phase {',
    ...PHASE_STATUSES.map((status) => `    state "${status}" as Phase${status}`),
    ...arrows.filter(({ within }) => within).map(({ text }) => `    ${text}`),
    '  }',
    '  state "StatisticsRunning, the last count" as LastCount',
    ...arrows.filter(({ within }) => !within).map(({ text }) => `  ${text}`),
    ...finals.map((status) => `  ${status} --> [*]`),
    '```',
  ].join('\n');
}
