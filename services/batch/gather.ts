import type { StepChoice } from '../../contracts/batch.ts';
import type { Command } from '../../contracts/commands.ts';
import type { Finding } from '../../contracts/errors.ts';
import { lifeId } from '../../contracts/ids.ts';
import { FINAL_STATUSES } from '../../contracts/states.ts';
import { resolveChain } from '../../lib/batch/chain.ts';
import { gatherFacts } from '../../lib/batch/gather-facts.ts';
import { findingsOf } from '../../lib/batch/validate-definition.ts';
import { contentHash } from '../../lib/hash/content-hash.ts';
import { readStepTypes } from '../../lib/steps/step-types.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import type { Store } from '../../lib/store/collections.ts';
import type { Facts } from './decide/decision.ts';

/** Reads what the rules need beside the state, for the commands that need anything. */
export async function gather(
  store: Store,
  doc: BatchDocument | undefined,
  command: Command,
  atMs: number,
): Promise<Facts> {
  const facts: Facts = { at: atMs };
  switch (command.verb) {
    case 'create': {
      const { batch, start } = command.body;
      const starts = start || batch.autoTrigger;
      return {
        ...facts,
        createHash: contentHash({ batch, start: start ?? false }),
        ...(starts && { chain: await chainOf(store, batch.steps) }),
      };
    }
    case 'create-child': {
      const { parent, batch, recipients, start } = command.body;
      return {
        ...facts,
        createHash: contentHash({ parent, batch, recipients }),
        ...(start && { chain: await chainOf(store, batch.steps) }),
      };
    }
    case 'update': {
      const { steps, autoTrigger } = command.body.patch;
      const chosen = steps ?? (autoTrigger ? doc?.definition.steps : undefined);
      return steps || autoTrigger ? { ...facts, chain: await chainOf(store, chosen) } : facts;
    }
    case 'start':
    case 'resume':
    case 'reconcile': {
      if (doc?.state.phase !== null) return facts;
      const steps = command.verb === 'start' ? command.body.steps : undefined;
      return { ...facts, chain: await chainOf(store, steps ?? doc.definition.steps) };
    }
    case 'validate':
      return doc ? { ...facts, findings: await findingsFor(store, doc, atMs) } : facts;
    case 'delete':
      return doc ? { ...facts, waitingChildren: await waitingChildren(store, doc) } : facts;
    case 'dry-run': {
      if (!doc?.inlineRecipients) return facts;
      const inline = await store.inlineRecipients.findOne({ _id: lifeId(doc._id, doc.incarnation) });
      return inline ? { ...facts, inline: inline.recipients } : facts;
    }
    default:
      return facts;
  }
}

async function chainOf(
  store: Store,
  choices: StepChoice[] | undefined,
): Promise<NonNullable<Facts['chain']>> {
  const resolved = resolveChain(choices, await readStepTypes(store.db));
  return resolved.ok ? { steps: resolved.steps, findings: [] } : { steps: [], findings: resolved.findings };
}

export async function findingsFor(store: Store, doc: BatchDocument, nowMs: number): Promise<Finding[]> {
  const checked = {
    definition: doc.definition,
    life: lifeId(doc._id, doc.incarnation),
    ...(doc.parent && { parent: doc.parent }),
    started: doc.startedAt !== undefined,
    dryRun: doc.dryRun ?? false,
  };
  return findingsOf(doc.definition, await gatherFacts(store, checked, nowMs));
}

async function waitingChildren(store: Store, doc: BatchDocument): Promise<string[]> {
  const children = await store.batches
    .find(
      {
        'parent.batchId': doc._id,
        'parent.incarnation': doc.incarnation,
        'parent.filter': { $exists: true },
        size: { $exists: false },
        deletedAt: { $exists: false },
        'state.status': { $nin: [...FINAL_STATUSES] },
      },
      { projection: { _id: 1 }, limit: 10 },
    )
    .toArray();
  return children.map(({ _id }) => _id);
}
