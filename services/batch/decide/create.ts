import type { BatchDefinition, InlineRecipient } from '../../../contracts/batch.ts';
import type { CommandBody } from '../../../contracts/commands.ts';
import { incarnationOf } from '../../../contracts/ids.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import { type Decision, type Facts, rejected } from './decision.ts';
import { startOrSchedule } from './lifecycle.ts';
import { beginTurn, type CommandMeta, type Turn, transition } from './turn.ts';

/** A deleted batch's ID is free again after this long; until then its tombstone keeps a zombie from reviving it. */
export const TOMBSTONE_MS = 7 * 24 * 3_600_000;

function newDocument(id: string, definition: BatchDefinition, facts: Facts): BatchDocument {
  return {
    _id: id,
    incarnation: incarnationOf(facts.at),
    version: 0,
    createHash: facts.createHash ?? '',
    definition,
    state: { phase: null, status: 'Pending' },
    steps: facts.chain?.steps ?? [],
    stepIndex: 0,
    epoch: 0,
    totals: {},
    deliveryBegan: false,
    stateSince: facts.at,
    progressAt: facts.at,
    lastCommandSeq: 0,
    lastCommandAt: 0,
    outbox: [],
    publishedVersion: 0,
    unpublished: true,
    history: [],
    createdAt: facts.at,
    updatedAt: facts.at,
  };
}

/** What stands in the way of a create, or undefined: the same create twice is one batch. */
function taken(doc: BatchDocument | undefined, facts: Facts): Decision | undefined {
  if (!doc) return undefined;
  if (doc.deletedAt !== undefined) {
    const freeAt = new Date(doc.deletedAt + TOMBSTONE_MS).toISOString();
    return rejected('deleted', `Batch ${doc._id} was deleted; its ID is free again at ${freeAt}.`);
  }
  if (doc.createHash === facts.createHash) return { kind: 'unchanged' };
  return rejected('already-exists', `Batch ${doc._id} exists with another definition.`);
}

function begin(id: string, definition: BatchDefinition, facts: Facts, meta: CommandMeta): Turn {
  const turn = beginTurn(newDocument(id, definition, facts), facts.at, meta);
  transition(turn, 'Create', { phase: null, status: 'Pending' }, null);
  return turn;
}

const made = (turn: Turn, inline: InlineRecipient[] | undefined): Decision => ({
  kind: 'accepted',
  doc: turn.doc,
  effects: turn.effects,
  hold: false,
  ...(inline && { inline }),
});

export function create(
  doc: BatchDocument | undefined,
  id: string,
  body: CommandBody<'create'>,
  facts: Facts,
  meta: CommandMeta,
): Decision {
  const obstacle = taken(doc, facts);
  if (obstacle) return obstacle;
  const { recipients, ...definition } = body.batch;
  const turn = begin(id, definition, facts, meta);
  if (body.origin) turn.doc.origin = body.origin;
  if (recipients) turn.doc.inlineRecipients = recipients.length;
  if (body.start || definition.autoTrigger) {
    const refusal = startOrSchedule(turn, facts);
    if (refusal) return refusal;
  }
  return made(turn, recipients);
}

export function createChild(
  doc: BatchDocument | undefined,
  id: string,
  body: CommandBody<'create-child'>,
  facts: Facts,
  meta: CommandMeta,
): Decision {
  const obstacle = taken(doc, facts);
  if (obstacle) return obstacle;
  const turn = begin(id, body.batch, facts, meta);
  turn.doc.parent = body.parent;
  if (body.dryRun) turn.doc.dryRun = true;
  if (body.recipients) turn.doc.inlineRecipients = body.recipients.length;
  if (body.start) {
    const refusal = startOrSchedule(turn, facts);
    if (refusal) return refusal;
  }
  return made(turn, body.recipients);
}
