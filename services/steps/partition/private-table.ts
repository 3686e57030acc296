import type { BatchDefinition } from '../../../contracts/batch.ts';
import { RefusedError } from '../../../contracts/errors.ts';
import { sleep } from '../../../lib/lifecycle/sleep.ts';
import type { TableDocument } from '../../../lib/store/table-documents.ts';
import { type PlaceRows, placeRows } from '../../../lib/tables/place-rows.ts';
import type { RowSource } from '../../../lib/tables/row-source.ts';
import { type StepContext, StepFailure, type StepOutcome } from '../step.ts';
import { stopAt } from '../stop-at.ts';

const PULSE_MS = 2_000;

/**
 * The batch's own table, named by its life: rows that lie elsewhere are placed first, as an import is. Made once: who comes
 * later takes what is there, even if the source has changed meanwhile.
 * @returns the table with exactly one import, or how it had to stop
 */
export async function privateTable(
  context: StepContext,
  life: string,
  source: () => RowSource,
  { defaultCountry }: Pick<BatchDefinition, 'defaultCountry'>,
): Promise<TableDocument | { stopped: StepOutcome }> {
  const { store } = context;
  const found = () => store.tables.findOne({ _id: life, ownedBy: life });
  const known = await found();
  if (known) return firstImport(known);
  const placed = await place(context, { table: life, ownedBy: life, source: source(), defaultCountry });
  if (placed) return { stopped: placed };
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

/** Streams the rows, and looks up now and then whether it may go on. */
async function place(context: StepContext, options: PlaceRows): Promise<StepOutcome | undefined> {
  const { store, signal } = context;
  const abort = new AbortController();
  const ended = new AbortController();
  let stopped: StepOutcome | undefined;
  const watching = watch();
  try {
    await placeRows(store, { ...options, signal: AbortSignal.any([signal, abort.signal]) });
    return undefined;
  } catch (error) {
    if (stopped) return stopped;
    if (signal.aborted) return { kind: 'left' };
    if (!(error instanceof RefusedError)) throw error;
    // 'unavailable' and the like come back; only the rows themselves are the batch's own fault.
    if (error.body.code !== 'invalid') throw error;
    throw new StepFailure(error.body.code, error.body.message, error.body.errors);
  } finally {
    ended.abort();
    await watching;
  }

  async function watch(): Promise<void> {
    while (await sleep(PULSE_MS, ended.signal)) {
      try {
        stopped = await stopAt(context);
      } catch (err) {
        context.log.warn({ err }, 'the task could not be looked at');
      }
      if (stopped) return abort.abort();
    }
  }
}
