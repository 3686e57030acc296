import Type from 'typebox';
import {
  ImportReport,
  ImportStarted,
  TableAppendRequest,
  TableDeleted,
  TableDeleteRequest,
  TableGetAnswer,
  TableGetRequest,
  TableImportRequest,
  TableListAnswer,
  TableListRequest,
} from '../../contracts/tables.ts';
import { type ApiEndpoint, endpoint } from '../../lib/nats/micro.ts';
import { deleteTable } from '../../lib/tables/delete-table.ts';
import { replaceIfOutgrown } from '../../lib/tables/replace-table.ts';
import { givenRows } from '../../lib/tables/sources/given-rows.ts';
import type { Imports } from './imports.ts';
import { openSource, type SourceDeps } from './open-source.ts';
import { getTable, listTables } from './read-tables.ts';

const noun = 'table';
/** Small appends make small chunks: looked after every so many of them. */
const APPENDS_BETWEEN_LOOKS = 32;

/** `sms.api.table.*` */
export function tableEndpoints(deps: SourceDeps & { imports: Imports }): ApiEndpoint[] {
  const { store, imports } = deps;
  let appends = 0;
  return [
    endpoint({
      noun,
      verb: 'import',
      description:
        'Streams a file, an uploaded object or a collection into a table; the same content is imported once.',
      request: TableImportRequest,
      response: Type.Union([ImportReport, ImportStarted]),
      async handler(request, { requestId }) {
        const { table, defaultCountry } = request;
        const wanted = { table, defaultCountry, requestId, source: await openSource(deps, request) };
        if (request.wait) return imports.run(wanted);
        return { table, importId: await imports.begin(wanted), state: 'running' };
      },
    }),
    endpoint({
      noun,
      verb: 'append',
      description: 'Adds up to 1,000 rows to a table, which is made if it is not there.',
      request: TableAppendRequest,
      response: ImportReport,
      async handler({ table, rows, defaultCountry }, { requestId, signal }) {
        const report = await imports.append({ table, defaultCountry, requestId, source: givenRows(rows) });
        if (++appends % APPENDS_BETWEEN_LOOKS === 0) await replaceIfOutgrown(store, table, signal);
        return report;
      },
    }),
    endpoint({
      noun,
      verb: 'get',
      description: 'A table and its latest imports, with their progress.',
      request: TableGetRequest,
      response: TableGetAnswer,
      handler: (request) => getTable(store, request),
    }),
    endpoint({
      noun,
      verb: 'list',
      description: 'Tables by name, a page at a time.',
      request: TableListRequest,
      response: TableListAnswer,
      handler: (request) => listTables(store, request),
    }),
    endpoint({
      noun,
      verb: 'delete',
      description: 'Removes a table; batches that have frozen it keep what they froze.',
      request: TableDeleteRequest,
      response: TableDeleted,
      async handler({ table, expectedVersion }) {
        const { rows } = await deleteTable(store, table, { expectedVersion });
        return { table, rows };
      },
    }),
  ];
}
