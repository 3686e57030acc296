import { check } from '../../contracts/check.ts';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import { TABLE_SOURCES, type TableImportRequest, type TableSource } from '../../contracts/tables.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import type { Store } from '../../lib/store/collections.ts';
import { ownCollections } from '../../lib/store/own-collections.ts';
import type { RowSource } from '../../lib/tables/row-source.ts';
import { collectionSource } from '../../lib/tables/sources/collection-source.ts';
import { fileSource } from '../../lib/tables/sources/file-source.ts';
import { localFile } from '../../lib/tables/sources/local-file.ts';
import { uploadedObject } from '../../lib/tables/sources/uploaded-object.ts';

export interface SourceDeps {
  nats: Nats;
  store: Store;
  importDirs: readonly string[];
}

/** Finds what a request names, before anything is promised. @throws RefusedError where it is not there, or not allowed */
export async function openSource(
  { nats, store, importDirs }: SourceDeps,
  request: TableImportRequest,
): Promise<RowSource> {
  const source = checkedSource(request.source);
  switch (source.kind) {
    case 'file':
      return fileSource(await localFile(source.path, importDirs), request);
    case 'object':
      return fileSource(await uploadedObject(nats, source.name), request);
    case 'collection': {
      const { collection, fields } = source;
      const phoneField = source.phoneField ?? request.phoneColumn;
      return collectionSource(store.db, ownCollections(store), { collection, fields, phoneField });
    }
  }
}

function checkedSource(source: TableImportRequest['source']): TableSource {
  const checked = check(TABLE_SOURCES[source.kind], source);
  if (checked.ok) return checked.value;
  const errors = checked.errors.map((each) => ({ ...each, field: `source/${each.field}` }));
  throw new RefusedError(errorBody('invalid-body', 'The body does not fit its schema.', errors));
}
