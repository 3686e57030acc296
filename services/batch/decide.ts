import type { Command } from '../../contracts/commands.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import { staleness, stepDone, stepFailed, stepYielded } from './decide/answers.ts';
import { clone, dryRun, retryByFilter } from './decide/children.ts';
import { create, createChild } from './decide/create.ts';
import { type Decision, type Facts, rejected } from './decide/decision.ts';
import { abort, pause, resume, retry, start } from './decide/lifecycle.ts';
import { reconcile } from './decide/reconcile.ts';
import { removal, remove } from './decide/remove.ts';
import { beginTurn, type CommandMeta, emit, emitProgress, type Turn } from './decide/turn.ts';
import { update } from './decide/update.ts';
import { dueTimeOf, wakeAt } from './decide/wake.ts';

/**
 * The rule book of the actor: state and command in, the next state and its effects out. Pure: no clock, no id, no I/O;
 * a redelivered command decides the same.
 */
export function decide(doc: BatchDocument | undefined, id: string, command: Command, facts: Facts): Decision {
  const { verb, body } = command;
  const meta = metaOf(body);
  if (verb === 'create') return finished(create(doc, id, body, facts, meta), meta, facts);
  if (verb === 'create-child') return finished(createChild(doc, id, body, facts, meta), meta, facts);
  if (!doc)
    return rejected('not-found', `There is no batch ${id}.`, [
      { field: 'id', value: id, expected: 'a batch' },
    ]);
  if (doc.deletedAt !== undefined) return onTombstone(doc, command);
  if (
    'expectedVersion' in body &&
    body.expectedVersion !== undefined &&
    body.expectedVersion !== doc.version
  ) {
    return rejected('version-conflict', `Batch ${id} has version ${doc.version}.`, [
      { field: 'expectedVersion', value: body.expectedVersion, expected: String(doc.version) },
    ]);
  }
  const stale = command.verb.startsWith('step-')
    ? staleness(doc, body as Parameters<typeof staleness>[1])
    : undefined;
  if (stale !== undefined) return { kind: 'dropped', why: stale };

  const turn = beginTurn(doc, facts.at, meta);
  const answer = obey(turn, command, facts);
  if (answer) return answer;
  return finished(
    { kind: 'accepted', doc: turn.doc, effects: turn.effects, hold: turn.hold },
    meta,
    facts,
    doc,
  );
}

function obey(turn: Turn, { verb, body }: Command, facts: Facts): Decision | undefined {
  switch (verb) {
    case 'create':
    case 'create-child':
      throw new Error(`${verb} is decided before there is a turn`);
    case 'update':
      return update(turn, body, facts);
    case 'delete':
      return remove(turn, facts);
    case 'start':
      return start(turn, body, facts);
    case 'pause':
      return pause(turn);
    case 'resume':
      return resume(turn, facts);
    case 'retry':
      return body.filter ? retryByFilter(turn, body) : retry(turn);
    case 'clone':
      return clone(turn, body);
    case 'abort':
      return abort(turn);
    case 'validate':
      return validate(turn, facts);
    case 'dry-run':
      return dryRun(turn, body, facts);
    case 'reconcile':
      return reconcile(turn, body, facts);
    case 'step-done':
      stepDone(turn, body);
      return undefined;
    case 'step-failed':
      stepFailed(turn, body);
      return undefined;
    case 'step-yielded':
      stepYielded(turn, body);
      return undefined;
  }
}

/** The findings are told, the batch stays as it is. */
function validate(turn: Turn, facts: Facts): Decision {
  emit(turn, 'validated', { findings: facts.findings ?? [] });
  return { kind: 'told', effects: turn.effects };
}

/** What a tombstone still takes: the answer of the clean-up that removes what belonged to the batch. */
function onTombstone(doc: BatchDocument, { verb }: Command): Decision {
  // The clean-up's message was lost with its stream: it goes out again.
  if (verb === 'reconcile') return { kind: 'told', effects: [removal(doc)] };
  if (verb.startsWith('step-')) return { kind: 'dropped', why: 'the batch is deleted' };
  if (verb === 'delete') return { kind: 'unchanged' };
  return rejected('deleted', `Batch ${doc._id} was deleted.`);
}

function finished(decision: Decision, meta: CommandMeta, facts: Facts, before?: BatchDocument): Decision {
  if (decision.kind !== 'accepted') return decision;
  const { doc, effects } = decision;
  if (dueTimeOf(doc) !== dueTimeOf(before)) effects.push({ kind: 'timer' });
  emitProgress({ doc, effects, meta, at: facts.at, hold: decision.hold });
  const next = wakeAt(doc);
  if (next === undefined) delete doc.wakeAt;
  else doc.wakeAt = next;
  return decision;
}

function metaOf(body: Command['body']): CommandMeta {
  const { requestId, operatorId, reason } = body as CommandMeta;
  return {
    ...(requestId !== undefined && { requestId }),
    ...(operatorId !== undefined && { operatorId }),
    ...(reason !== undefined && { reason }),
  };
}
