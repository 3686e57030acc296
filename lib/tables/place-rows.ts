import { ulid } from 'ulid';
import { type ErrorBody, errorBody, type Finding, RefusedError } from '../../contracts/errors.ts';
import { type ImportReport, MAX_TABLE_COLUMNS } from '../../contracts/tables.ts';
import { isTransient } from '../mongo/errors.ts';
import { hashMsisdn } from '../phone/bucket.ts';
import { normaliseMsisdn } from '../phone/normalise.ts';
import { isKnownCountry } from '../phone/numbering-plan.ts';
import { PHONE_REFUSALS } from '../phone/refusals.ts';
import type { Store } from '../store/collections.ts';
import { bucketBitsFor, estimatedRows, ROWS_TO_CHOOSE_FROM } from './bucket-bits.ts';
import { discardChunks } from './chunk-ranges.ts';
import { type ChunkWriter, chunkWriter } from './chunk-writer.ts';
import { beginImport, type ImportStatus } from './import-status.ts';
import { commitImport, notYours } from './manifest.ts';
import { type Placement, type Placer, placer } from './placer.ts';
import { type RowFindings, rowFindings } from './row-findings.ts';
import type { RowBatch, RowSource } from './row-source.ts';
import { refusedPhone } from './stored-phone.ts';

export type ImportStore = Pick<Store, 'tables' | 'sourceChunks' | 'imports'>;

export interface PlaceRows {
  table: string;
  source: RowSource;
  /** ISO 3166 alpha-2, for numbers without a country code. */
  defaultCountry?: string | undefined;
  /** Made here when left out: a ULID. */
  importId?: string | undefined;
  /** The batch whose private table this is. */
  ownedBy?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Called once, when the import can be seen in `imports`. */
  onBegun?: (importId: string) => void;
}

/**
 * Streams rows into a table: chunks first, then one atomic update of the manifest. Whatever ends it before that leaves
 * the table as it was. Memory: 100,000 rows at the start, then less than 500 rows a bucket.
 * @throws RefusedError with the reason and, where lines are to blame, the first of them.
 */
export async function placeRows(store: ImportStore, options: PlaceRows): Promise<ImportReport> {
  const { table, source, defaultCountry, onBegun } = options;
  if (defaultCountry !== undefined && !isKnownCountry(defaultCountry)) {
    const expected = PHONE_REFUSALS.UNKNOWN_DEFAULT_COUNTRY;
    throw refused('There is no such country.', [
      { field: 'defaultCountry', value: defaultCountry, expected },
    ]);
  }
  const importId = options.importId ?? ulid();
  const status = await beginImport(store, { id: importId, table, source: source.label });
  onBegun?.(importId);
  const run: Run = { store, options, importId, status, findings: rowFindings(), rows: 0 };
  try {
    const report = await place(run);
    await status.done(report);
    return report;
  } catch (error) {
    const at = run.placement;
    // Best effort: what stays behind is found by removeOrphans. After a commit whose answer was lost nothing may go.
    if (at && (!run.committing || error instanceof RefusedError)) {
      await discardChunks(store, at.table, at.generation, at.importId).catch(() => {});
    }
    await status.failed(told(error, importId, options.signal)).catch(() => {});
    throw error;
  }
}

interface Run {
  store: ImportStore;
  options: PlaceRows;
  importId: string;
  status: ImportStatus;
  findings: RowFindings;
  rows: number;
  columns?: string[];
  /** Where chunks lie, once there are some. */
  placement?: Placement;
  committing?: boolean;
}

async function place(run: Run): Promise<ImportReport> {
  const { store, options, importId, findings } = run;
  const { source } = options;
  // A failure on one side ends the other: a source that waits for more, a writer that retries.
  const abort = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
  try {
    const existing = await store.tables.findOne({ _id: options.table });
    if (existing && existing.ownedBy !== options.ownedBy) throw notYours(existing);
    const { placing, writer } = await stream(run, existing, signal);
    const placement = run.placement!;
    const columns = run.columns ?? [];
    if (run.rows === 0) throw noRows(source.label, findings);
    await writer.end();
    if (!(await run.status.mayCommit())) throw new Error(`import ${importId} was given up as dead meanwhile`);
    const entry = {
      id: importId,
      sha256: source.sha256(),
      reading: JSON.stringify([source.reading, options.defaultCountry ?? '']),
      source: source.label,
      at: Date.now(),
      rows: run.rows,
      badLines: findings.badLines,
      invalidNumbers: findings.invalidNumbers,
      chunksByBucket: placing.chunksByBucket,
      rowsByBucket: placing.rowsByBucket,
    };
    run.committing = true;
    const result = await commitImport(
      store,
      { placement, foundTable: existing?.createdAt, entry, columns, ownedBy: options.ownedBy },
      signal,
      (moved) => {
        run.placement = moved;
      },
    );
    if (result.kind === 'duplicate') {
      const at = result.placement;
      await discardChunks(store, at.table, at.generation, at.importId).catch(() => {});
    }
    return {
      table: options.table,
      importId,
      rows: result.kind === 'duplicate' ? 0 : run.rows,
      badLines: findings.badLines,
      invalidNumbers: findings.invalidNumbers,
      ...(result.kind === 'duplicate' && { duplicateOf: result.of }),
      columns,
      findings: findings.kept,
      findingsTotal: findings.total,
    };
  } finally {
    abort.abort();
  }
}

/** Draws the source to its end; rows wait until it is known how many buckets they need. */
async function stream(
  run: Run,
  existing: { generation: number; bucketBits: number } | null,
  signal: AbortSignal,
): Promise<{ placing: Placer; writer: ChunkWriter }> {
  const { store, options, importId } = run;
  const { table, source } = options;
  const writer = chunkWriter(store.sourceChunks, signal);
  let placing: Placer | undefined;
  let held: RowBatch[] = [];

  function begin(bucketBits: number): Placer {
    const generation = existing?.generation ?? Date.now();
    run.placement = { table, generation, bucketBits, importId };
    const begun = placer(run.placement, (chunk) => writer.add(chunk));
    for (const batch of held) putAll(run, begun, batch);
    held = [];
    return begun;
  }

  try {
    if (existing) placing = begin(existing.bucketBits);
    for await (const batch of source.batches(signal)) {
      signal.throwIfAborted();
      run.rows += batch.rows.length;
      run.columns = variablesOf(batch);
      for (const line of batch.badLines) run.findings.badLine(line);
      if (placing) putAll(run, placing, batch);
      else held.push(batch);
      if (!placing && run.rows >= ROWS_TO_CHOOSE_FROM) {
        placing = begin(bucketBitsFor(estimatedRows(run.rows, source.fraction?.())));
      }
      await writer.ready();
      await run.status.progress(run.rows);
    }
    placing ??= begin(bucketBitsFor(run.rows));
    placing.flush();
    return { placing, writer };
  } catch (error) {
    await writer.end().catch(() => {});
    throw error;
  }
}

function putAll({ options, findings }: Run, placing: Placer, batch: RowBatch): void {
  const { rows, lines, phoneAt, columns } = batch;
  const { defaultCountry } = options;
  placing.setColumns(columns, phoneAt);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const raw = row[phoneAt] ?? '';
    const verdict = normaliseMsisdn(raw, defaultCountry);
    if (verdict.ok) {
      placing.put(verdict.msisdn, hashMsisdn(verdict.msisdn), row);
    } else {
      findings.invalidNumber(lines[i]!, columns[phoneAt]!, raw, verdict.code);
      placing.put(refusedPhone(verdict.code, raw), hashMsisdn(raw), row);
    }
  }
}

function variablesOf({ columns, phoneAt }: RowBatch): string[] {
  if (columns.length > MAX_TABLE_COLUMNS) {
    const expected = `at most ${MAX_TABLE_COLUMNS} columns`;
    throw refused('The source has too many columns.', [{ field: 'source', value: columns.length, expected }]);
  }
  return columns.filter((_, at) => at !== phoneAt);
}

const refused = (message: string, errors: Finding[]) =>
  new RefusedError(errorBody('invalid', message, errors));

const SHOWN_LINES = 20;

function noRows(label: string, findings: RowFindings): RefusedError {
  if (findings.badLines === 0) {
    const expected = 'at least one row';
    return refused(`There are no rows in ${label}.`, [{ field: 'source', value: label, expected }]);
  }
  return refused(
    `There are no rows in ${label}: none of its ${findings.badLines} lines can be read as one.`,
    findings.kept.slice(0, SHOWN_LINES).map(({ line, column, value, expected }) => ({
      field: column ? `line ${line}, ${column}` : `line ${line}`,
      value,
      expected,
    })),
  );
}

function told(error: unknown, importId: string, signal: AbortSignal | undefined): ErrorBody {
  if (error instanceof RefusedError) return error.body;
  if (signal?.aborted) return errorBody('unavailable', 'The service stopped while it ran; import it again.');
  if (isTransient(error)) return errorBody('unavailable', 'MongoDB did not answer; import it again later.');
  return errorBody('internal', `A fault of ours; it is in the log under import ${importId}.`);
}
