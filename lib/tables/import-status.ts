import type { ErrorBody } from '../../contracts/errors.ts';
import type { ImportReport, ImportView } from '../../contracts/tables.ts';
import { isDuplicateKey, retryTransient } from '../mongo/errors.ts';
import type { Store } from '../store/collections.ts';
import type { ImportDocument } from '../store/import-document.ts';

const KEPT_MS = 7 * 24 * 3_600_000;
const PROGRESS_EVERY_MS = 1_000;
/** A running import that has not moved for this long is shown as lost. */
const LOST_AFTER_MS = 60_000;
/** …and for this long, may be abandoned: from then on it cannot commit. */
export const ABANDON_AFTER_MS = 10 * 60_000;

/** The status of an import that this process runs. */
export interface ImportStatus {
  /** Says how far it is, once a second at most. */
  progress(rows: number): Promise<void>;
  /** False: it was given up as dead meanwhile, and its chunks may be gone. Asked right before the manifest's update. */
  mayCommit(): Promise<boolean>;
  done(report: ImportReport): Promise<void>;
  failed(error: ErrorBody): Promise<void>;
}

const retried = <T>(write: () => Promise<T>): Promise<T> =>
  retryTransient(write, { deadlineMs: 30_000, what: 'writing the status of an import' });

export async function beginImport(
  { imports }: Pick<Store, 'imports'>,
  { id, table, source }: { id: string; table: string; source: string },
): Promise<ImportStatus> {
  const now = Date.now();
  const begun: ImportDocument = {
    _id: id,
    table,
    source,
    state: 'running',
    rows: 0,
    startedAt: now,
    updatedAt: now,
    expiresAt: new Date(now + KEPT_MS),
  };
  await retried(() =>
    imports.insertOne(begun).catch((error) => {
      if (!isDuplicateKey(error)) throw error;
    }),
  );

  const whileRunning = async (changes: Partial<ImportDocument>): Promise<boolean> => {
    const updatedAt = Date.now();
    const $set = { ...changes, updatedAt, expiresAt: new Date(updatedAt + KEPT_MS) };
    const written = await retried(() => imports.updateOne({ _id: id, state: 'running' }, { $set }));
    return written.matchedCount === 1;
  };

  let saidAt = performance.now();
  return {
    async progress(rows) {
      if (performance.now() - saidAt < PROGRESS_EVERY_MS) return;
      saidAt = performance.now();
      await whileRunning({ rows });
    },
    mayCommit: () => whileRunning({}),
    async done(report) {
      await whileRunning({ state: 'done', rows: report.rows, report });
    },
    async failed(error) {
      await whileRunning({ state: 'failed', error });
    },
  };
}

/**
 * What people see of an import.
 * @param committed its rows are in the table, whatever its process could still say of it
 */
export function importView(status: ImportDocument, now: number, committed = false): ImportView {
  const { _id, table, source, state, rows, startedAt, updatedAt, report, error } = status;
  const stalled = state === 'running' && now - updatedAt > LOST_AFTER_MS;
  // In the table, but its report is not stored yet: a moment later it is, unless its process has died in between.
  const reporting = state === 'running' && !stalled && !report;
  return {
    importId: _id,
    table,
    source,
    state: committed && !reporting ? 'done' : stalled || state === 'abandoned' ? 'lost' : state,
    rows,
    startedAt: new Date(startedAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
    ...(report && { report }),
    ...(error && !committed && { error }),
  };
}
