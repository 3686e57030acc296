import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { ulid } from 'ulid';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import type { ImportReport } from '../../contracts/tables.ts';
import type { Store } from '../../lib/store/collections.ts';
import { type PlaceRows, placeRows } from '../../lib/tables/place-rows.ts';
import { tableMetrics } from './metrics.ts';

/** They share one process; what comes beyond is refused rather than kept waiting without a word. */
const IMPORTS_AT_ONCE = 4;

const STOPPED = 'The service stopped while the import ran; nothing was imported. Import it again.';

export type NewImport = Omit<PlaceRows, 'signal' | 'importId' | 'onBegun'> & { requestId: string };

/** The imports that run in this process. */
export interface Imports {
  /** Runs one to its end. @throws RefusedError */
  run(wanted: NewImport): Promise<ImportReport>;
  /** Resolves with the import's ID as soon as it can be seen; its end is told by its status. @throws RefusedError */
  begin(wanted: NewImport): Promise<string>;
  /** A few rows: not counted among the imports that run at once. @throws RefusedError */
  append(wanted: NewImport): Promise<ImportReport>;
  /** Resolves when all have ended; to be called when the signal has aborted. */
  stop(): Promise<void>;
}

export function runningImports(deps: {
  store: Store;
  log: Logger;
  registry: Registry;
  signal: AbortSignal;
}): Imports {
  const { store, log, registry, signal } = deps;
  const running = new Set<Promise<unknown>>();
  const appending = new Set<Promise<unknown>>();
  const metrics = tableMetrics(registry);

  async function logged(wanted: NewImport, onBegun: (importId: string) => void): Promise<ImportReport> {
    const { requestId, ...options } = wanted;
    const importId = ulid();
    const about = { table: options.table, importId, source: options.source.label, requestId };
    try {
      const report = await placeRows(store, { ...options, importId, signal, onBegun });
      metrics.rows.inc(report.rows);
      metrics.imports.inc({ result: report.duplicateOf === undefined ? 'done' : 'duplicate' });
      const { rows, badLines, invalidNumbers, duplicateOf } = report;
      log.info({ ...about, rows, badLines, invalidNumbers, duplicateOf }, 'imported');
      return report;
    } catch (error) {
      metrics.imports.inc({ result: 'failed' });
      if (signal.aborted) throw new RefusedError(errorBody('unavailable', STOPPED));
      if (error instanceof RefusedError) log.info({ ...about, reason: error.body.message }, 'import refused');
      else log.error({ ...about, err: error }, 'import failed');
      throw error;
    }
  }

  function track<T>(among: Set<Promise<unknown>>, run: Promise<T>): Promise<T> {
    among.add(run);
    const forget = () => among.delete(run);
    run.then(forget, forget);
    return run;
  }

  async function start(
    wanted: NewImport,
    onBegun: (importId: string) => void = () => {},
  ): Promise<ImportReport> {
    if (running.size >= IMPORTS_AT_ONCE) {
      const message = `${IMPORTS_AT_ONCE} imports run in this process already; try again later.`;
      throw new RefusedError(errorBody('overloaded', message));
    }
    return track(running, logged(wanted, onBegun));
  }

  return {
    run: (wanted) => start(wanted),
    // Once it has begun the promise is settled: what fails later is told by its status and in the log.
    begin: (wanted) => new Promise((resolve, reject) => void start(wanted, resolve).catch(reject)),
    append: (wanted) =>
      track(
        appending,
        logged(wanted, () => {}),
      ),
    stop: async () => {
      await Promise.allSettled([...running, ...appending]);
    },
  };
}
