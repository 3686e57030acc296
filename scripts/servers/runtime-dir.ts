import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAlive } from './directory-lock.ts';

/** The folder of this checkout, with a trailing separator. */
export const checkoutDir = fileURLToPath(new URL('../../', import.meta.url));

/** Where private copies, data and logs of servers live: SMSBATCH_RUNTIME_DIR, else `.runtime/` of the checkout. */
export function runtimeDir(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.SMSBATCH_RUNTIME_DIR || join(checkoutDir, '.runtime');
}

/** `<pid>-<time>-<random>`: starts with the pid so that a later run can tell whose leavings it finds. */
export function newRunId(): string {
  return `${process.pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 6)}`;
}

const abandonedAfterMs = 60_000;

/** Creates `<parent>/<runId>` and removes those of runs whose process is gone (a machine that lost power). */
export async function createRunDir(parent: string, runId: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    const pid = Number(name.split('-')[0]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    const path = join(parent, name);
    const age = await stat(path).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
  const dir = join(parent, runId);
  await mkdir(dir, { recursive: true });
  return dir;
}
