import type { BatchDefinition } from '../../../contracts/batch.ts';
import { RefusedError } from '../../../contracts/errors.ts';
import type { TableDocument } from '../../../lib/store/table-documents.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import type { RowSource } from '../../../lib/tables/row-source.ts';
import { type StepContext, StepFailure, type StepOutcome } from '../step.ts';
import { watched } from '../watched.ts';

/**
 * The batch's own table, named by its life: rows that lie elsewhere are placed first, as an import is. Made once: who comes
 * later takes what is there, even if the source has changed meanwhile.
 * @returns the table with exactly one import, or how it had to stop
 */
export async function privateTable(
  context: StepContext,
  life: string,
  source: () => RowSource | Promise<RowSource>,
  { defaultCountry }: Pick<BatchDefinition, 'defaultCountry'>,
): Promise<TableDocument | { stopped: StepOutcome }> {
  const { store } = context;
  const found = () => store.tables.findOne({ _id: life, ownedBy: life });
  const known = await found();
  if (known) return firstImport(known);
  const rows = await source();
  const placed = await watched(context, async (signal) => {
    try {
      return await placeRows(store, { table: life, ownedBy: life, source: rows, defaultCountry, signal });
    } catch (error) {
      // Only the rows themselves are the batch's own fault; anything else comes back.
      if (!(error instanceof RefusedError) || error.body.code !== 'invalid') throw error;
      throw new StepFailure(error.body.code, error.body.message, error.body.errors);
    }
  });
  if ('stopped' in placed) return placed;
  const made = await found();
  if (!made) throw new Error(`the private table ${life} was removed while it was made`);
  return firstImport(made);
}

/** Two hosts at once may both have committed: the first one's rows are the batch. */
function firstImport(table: TableDocument): TableDocument {
  const imports = table.imports.slice(0, 1);
  const { rows, chunksByBucket } = imports[0]!;
  return { ...table, imports, rows, chunks: chunksByBucket.reduce((sum, n) => sum + n, 0) };
}
