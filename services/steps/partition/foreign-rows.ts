import type { BatchDefinition } from '../../../contracts/batch.ts';
import { compileTemplate } from '../../../lib/sms/template.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { ownCollections } from '../../../lib/store/own-collections.ts';
import type { RowSource } from '../../../lib/tables/row-source.ts';
import { collectionSource } from '../../../lib/tables/sources/collection-source.ts';
import { findPhoneColumn } from '../../../lib/tables/sources/phone-column.ts';
import { StepFailure } from '../step.ts';

const SAMPLED_DOCUMENTS = 100;

/**
 * The documents of a collection that others fill, as rows: the fields that hold plain values in the first documents, and
 * those that the text names. A field that holds a list or an object is nobody's variable, and no reason to leave the row out.
 */
export async function foreignRows(
  store: Store,
  name: string,
  { content }: Pick<BatchDefinition, 'content'>,
): Promise<RowSource> {
  const sample = await store.db.collection(name).find({}, { limit: SAMPLED_DOCUMENTS }).toArray();
  const columns = new Set<string>();
  for (const document of sample) {
    for (const [field, value] of Object.entries(document)) {
      if (field !== '_id' && isPlain(value)) columns.add(field);
    }
  }
  const phone = findPhoneColumn([...columns]);
  if (!('at' in phone)) {
    const finding = { field: 'tableStorageName', value: name, expected: phone.expected };
    throw new StepFailure('invalid', `Collection ${name}: ${phone.problem}`, [finding]);
  }
  const compiled = compileTemplate(content);
  if (compiled.ok) for (const variable of compiled.template.variables) columns.add(variable);
  return collectionSource(store.db, ownCollections(store), {
    collection: name,
    phoneField: [...columns][phone.at]!,
    fields: Object.fromEntries([...columns].map((column) => [column, column])),
  });
}

const isPlain = (value: unknown): boolean =>
  value === null || typeof value !== 'object' || value instanceof Date || '_bsontype' in value;
