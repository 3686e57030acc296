import type { BatchDefinition } from '../../../contracts/batch.ts';
import type { CommandBody, RecipientFilter } from '../../../contracts/commands.ts';
import { isFinal, stateName } from '../../../contracts/states.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import { type Decision, type Facts, rejected } from './decision.ts';
import { forbids } from './lifecycle.ts';
import type { Turn } from './turn.ts';

/** A child's ID is made once and stored with the outbox: a redelivered command makes the same child. */
const childId = (doc: BatchDocument, kind: string): string =>
  `${doc._id.slice(0, 48)}-${kind}${doc.version.toString(36)}`;

/** What a child takes over: everything but when it starts and where its recipients come from. */
function inherited(doc: BatchDocument): BatchDefinition {
  const { scheduleTime: _time, autoTrigger: _auto, notAfter: _notAfter, ...definition } = doc.definition;
  return definition;
}

/** A child batch with only the recipients that a filter names; `pending` only from a batch that has ended. */
export function retryByFilter(turn: Turn, body: CommandBody<'retry'>): Decision | undefined {
  return childOf(turn, 'r', body.filter!, body);
}

/** A new batch with the recipients to whom nothing was sent. */
export function clone(turn: Turn, body: CommandBody<'clone'>): Decision | undefined {
  if (!isFinal(turn.doc.state)) return forbids(turn.doc, 'clone', 'a batch that has ended');
  return childOf(turn, 'c', { outcomes: ['pending', 'expired'] }, body);
}

function childOf(
  turn: Turn,
  kind: string,
  filter: RecipientFilter,
  body: { childId?: string; start?: boolean; patch?: Partial<BatchDefinition> },
): Decision | undefined {
  const { doc } = turn;
  if (!doc.size)
    return rejected('state-forbids', 'The batch has no recipients yet: it was never partitioned.');
  const wanted = filter.outcomes ?? [];
  if (
    !isFinal(doc.state) &&
    (wanted.length === 0 || wanted.includes('pending') || wanted.includes('inFlight'))
  ) {
    return rejected(
      'state-forbids',
      'Recipients that are still open can be taken only from a batch that has ended.',
      [
        {
          field: 'filter/outcomes',
          value: wanted,
          expected: `final outcomes, named one by one, while the batch is ${stateName(doc.state)}`,
        },
      ],
    );
  }
  turn.effects.push({
    kind: 'command',
    batchId: body.childId ?? childId(doc, kind),
    verb: 'create-child',
    body: {
      parent: { batchId: doc._id, incarnation: doc.incarnation, filter },
      batch: { ...inherited(doc), ...body.patch },
      start: body.start ?? false,
      ...turn.meta,
    },
  });
  return undefined;
}

/** The whole preparation without sending, in a batch of its own that ends with a report. */
export function dryRun(turn: Turn, body: CommandBody<'dry-run'>, facts: Facts): Decision | undefined {
  const { doc } = turn;
  turn.effects.push({
    kind: 'command',
    batchId: body.childId ?? childId(doc, 'd'),
    verb: 'create-child',
    body: {
      parent: {
        batchId: doc._id,
        incarnation: doc.incarnation,
        ...(doc.parent?.filter && { filter: doc.parent.filter }),
      },
      batch: { ...inherited(doc), steps: ['validation', 'preparation', 'statistics'] },
      ...(facts.inline && { recipients: facts.inline }),
      start: true,
      dryRun: true,
      ...turn.meta,
    },
  });
  return undefined;
}
