import { type BatchState, stateName } from '../../contracts/states.ts';
import { mayUpdate, UPDATE_PERMISSIONS, type UpdateWindow } from '../../contracts/update-permissions.ts';
import { NOTE, page, table } from './markdown.ts';

const WINDOWS: Record<UpdateWindow, string> = {
  always: 'Labels for people: in every state, even after the end.',
  anytime: 'In every state that is not final.',
  unsent: 'Until the delivery phase begins.',
  unstarted: 'While the batch is Pending or Scheduled.',
  never: 'Part of what the batch is.',
};

const COLUMNS: readonly (readonly [head: string, state: BatchState, deliveryBegan: boolean])[] = [
  ['Pending, Scheduled', { phase: null, status: 'Pending' }, false],
  ['a phase before Delivery', { phase: 'preparation', status: 'Running' }, false],
  ['Delivery and later', { phase: 'delivery', status: 'Running' }, true],
  [stateName({ phase: null, status: 'Aborting' }), { phase: null, status: 'Aborting' }, true],
  ['Succeeded, Failed, Aborted', { phase: null, status: 'Succeeded' }, true],
];

/** docs/update-permissions.md */
export const permissionsPage = (): string =>
  page(
    NOTE,
    '# Which field may change when',
    'An `update` names any part of a batch’s fields; all of them change, or none. One that may not change any more is refused ' +
      'with `field-frozen`, each field with the state that it would need.',
    table(
      ['field', 'window', ...COLUMNS.map(([head]) => head)],
      Object.entries(UPDATE_PERMISSIONS).map(([field, window]) => [
        `\`${field}\``,
        window,
        ...COLUMNS.map(([, state, began]) => (mayUpdate(window, state, began) ? 'yes' : '—')),
      ]),
    ),
    table(
      ['window', 'meaning'],
      Object.entries(WINDOWS).map(([window, meaning]) => [window, meaning]),
    ),
  );
