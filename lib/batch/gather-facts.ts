import type { Db } from 'mongodb';
import type { BatchDefinition, InlineRecipient } from '../../contracts/batch.ts';
import type { ParentRef } from '../../contracts/commands.ts';
import { lifeId } from '../../contracts/ids.ts';
import { readStepTypes } from '../steps/step-types.ts';
import type { Store } from '../store/collections.ts';
import { ownCollections, PROVIDER_ACCOUNTS } from '../store/own-collections.ts';
import { findPhoneColumn } from '../tables/sources/phone-column.ts';
import type { DefinitionFacts, RecipientsFacts } from './definition-facts.ts';
import { takenFrom } from './taken-from.ts';

/** A plain collection has no columns until it is read: those of its first documents are taken for all of them. */
const SAMPLED_DOCUMENTS = 100;

export interface CheckedBatch {
  definition: BatchDefinition;
  /** Given where the caller has them; else those that are stored under `life` are looked for. */
  inline?: readonly InlineRecipient[];
  /** `<batchId>.<incarnation>` of a batch that exists. */
  life?: string;
  parent?: ParentRef;
  started: boolean;
  dryRun: boolean;
}

/** The reads that a check of a definition rests on. */
export async function gatherFacts(
  store: Store,
  batch: CheckedBatch,
  nowMs: number,
): Promise<DefinitionFacts> {
  const { definition, started, dryRun } = batch;
  const name = definition.tableStorageName;
  const ofParent = await takenFrom(store, { dryRun, ...(batch.parent && { parent: batch.parent }) });
  const [named, inline, parent, providers, stepTypes] = await Promise.all([
    name === undefined || ofParent ? undefined : recipientsNamed(store, name),
    ofParent ? undefined : inlineOf(store, batch),
    ofParent && parentFacts(store, ofParent),
    providerNames(store.db),
    readStepTypes(store.db),
  ]);
  return {
    table: named?.table ?? null,
    collection: named?.collection ?? null,
    inline,
    parent,
    providers,
    stepTypes,
    nowMs,
    started,
    dryRun,
  };
}

async function recipientsNamed(
  store: Store,
  name: string,
): Promise<Pick<DefinitionFacts, 'table' | 'collection'>> {
  const table = await store.tables.findOne({ _id: name }, { projection: { columns: 1, rows: 1 } });
  if (table) return { table: { columns: table.columns, rows: table.rows }, collection: null };
  return { table: null, collection: await collectionFacts(store, name) };
}

async function collectionFacts(store: Store, name: string): Promise<RecipientsFacts | null> {
  if (ownCollections(store).has(name) || name.startsWith('system.')) return null;
  const found = await store.db.listCollections({ name }, { nameOnly: true }).toArray();
  if (found.length === 0) return null;
  const sample = await store.db.collection(name).find({}, { limit: SAMPLED_DOCUMENTS }).toArray();
  const columns = [...new Set(sample.flatMap((document) => Object.keys(document)))].filter(
    (key) => key !== '_id',
  );
  const phone = findPhoneColumn(columns);
  if (!('at' in phone))
    return { columns, rows: sample.length, ...(columns.length > 0 && { noPhoneColumn: phone.problem }) };
  return { columns: columns.filter((_, at) => at !== phone.at), rows: sample.length };
}

async function inlineOf(store: Store, batch: CheckedBatch): Promise<readonly InlineRecipient[] | undefined> {
  if (batch.inline || batch.life === undefined) return batch.inline;
  return (await store.inlineRecipients.findOne({ _id: batch.life }))?.recipients;
}

async function parentFacts(store: Store, parent: ParentRef): Promise<RecipientsFacts & { exists: boolean }> {
  const life = lifeId(parent.batchId, parent.incarnation);
  const partition = await store.partitions.findOne({ _id: life }, { projection: { columns: 1, total: 1 } });
  if (!partition) return { exists: false, columns: undefined, rows: 0 };
  return { exists: true, columns: partition.columns, rows: partition.total };
}

async function providerNames(db: Db): Promise<string[]> {
  const accounts = await db
    .collection<{ _id: string }>(PROVIDER_ACCOUNTS)
    .find({}, { projection: { _id: 1 } })
    .toArray();
  return accounts.map(({ _id }) => _id);
}
