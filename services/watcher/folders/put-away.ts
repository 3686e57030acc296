import { access, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ErrorBody } from '../../../contracts/errors.ts';
import type { ImportReport } from '../../../contracts/tables.ts';
import { DONE, FAILED } from './look.ts';
import type { Taken } from './take-file.ts';

/** What there is something to say about. */
export type Told = Exclude<Taken, { kind: 'changed' | 'elsewhere' }>;

/** What lies beside a file that was taken, as `<file>.report.json`. */
interface FileReport {
  file: string;
  at: string;
  state: 'done' | 'failed';
  batchId?: string;
  /** The same content was that batch already. */
  duplicate?: true;
  import?: ImportReport;
  error?: ErrorBody | { code: string; message: string };
}

/** Moves a file to where it belongs, its report first: what is there always says why. @returns its name there */
export async function putAway(folder: string, name: string, taken: Told, nowMs: number): Promise<string> {
  const report = reportOf(name, taken, nowMs);
  const to = join(folder, report.state === 'done' ? DONE : FAILED);
  const target = await freeName(to, name, nowMs);
  await writeFile(join(to, `${target}.report.json`), `${JSON.stringify(report, undefined, 2)}\n`);
  if (taken.kind !== 'gone') await moved(join(folder, name), join(to, target));
  return join(to, target);
}

function reportOf(file: string, taken: Told, nowMs: number): FileReport {
  const about = { file, at: new Date(nowMs).toISOString() };
  switch (taken.kind) {
    case 'batch':
      return { ...about, state: 'done', batchId: taken.batchId, import: taken.report };
    case 'duplicate':
      return { ...about, state: 'done', batchId: taken.batchId, duplicate: true };
    case 'refused':
      return { ...about, state: 'failed', error: taken.error };
    case 'gone': {
      const message = 'It was renamed or removed while it was read; nothing was imported.';
      return { ...about, state: 'failed', error: { code: 'gone', message } };
    }
  }
}

async function freeName(folder: string, name: string, nowMs: number): Promise<string> {
  const isFree = await access(join(folder, name)).then(
    () => false,
    () => true,
  );
  return isFree ? name : `${nowMs}-${name}`;
}

async function moved(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    // Another watcher has put it away.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
