import { createHash } from 'node:crypto';
import type { Db, Document } from 'mongodb';
import type { RowSource } from '../row-source.ts';
import { recordRows } from './records-to-rows.ts';
import { refuseSource } from './refuse-source.ts';

export interface CollectionOptions {
  collection: string;
  phoneField?: string | undefined;
  /** Variable → path in the document. Without it: every top-level value but `_id`. */
  fields?: Readonly<Record<string, string>> | undefined;
}

const DOCUMENTS_A_READ = 1_000;

/**
 * Rows of a collection that others fill, in the order of `_id`. What they change while it is read may or may not be in.
 * @param own names of our own collections, which are nobody's recipients
 */
export function collectionSource(db: Db, own: ReadonlySet<string>, options: CollectionOptions): RowSource {
  const { collection, phoneField, fields } = options;
  if (own.has(collection) || collection.startsWith('system.')) {
    const expected = 'a collection that is not the engine’s own';
    throw refuseSource('That collection holds no recipients.', collection, expected, {
      field: 'source/collection',
    });
  }
  const hash = createHash('sha256');
  let digest: string | undefined;
  return {
    label: `collection ${collection}`,
    reading: JSON.stringify(['collection', phoneField ?? '', fields ?? {}]),
    sha256: () => {
      digest ??= hash.digest('hex');
      return digest;
    },
    async *batches() {
      const cursor = db
        .collection(collection)
        .find(
          {},
          { sort: { _id: 1 }, batchSize: DOCUMENTS_A_READ, ...(fields ? {} : { projection: { _id: 0 } }) },
        );
      await using _closing = { [Symbol.asyncDispose]: () => cursor.close() };
      const rows = recordRows(phoneField);
      let n = 0;
      for await (const document of cursor) {
        const record = fields ? picked(document, fields, phoneField) : document;
        hash.update(`${JSON.stringify(record)}\n`);
        rows.add(record, ++n);
        if (rows.size >= DOCUMENTS_A_READ) yield rows.take();
      }
      yield rows.take();
    },
  };
}

function picked(
  document: Document,
  fields: Readonly<Record<string, string>>,
  phoneField: string | undefined,
): Document {
  const record: Document = {};
  for (const [name, path] of Object.entries(fields)) record[name] = valueAt(document, path);
  if (phoneField !== undefined && !(phoneField in record)) record[phoneField] = valueAt(document, phoneField);
  return record;
}

function valueAt(document: Document, path: string): unknown {
  let value: unknown = document;
  for (const token of path.split('.')) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Document)[token];
  }
  return value;
}
