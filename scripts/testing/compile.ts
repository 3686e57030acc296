import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { checkoutDir, createRunDir, runtimeDir } from '../servers/runtime-dir.ts';

/** URLs of a checkout and of the folder in which its sources lie compiled for this run: see compiled-hooks.mjs. */
export const COMPILED = 'SMSBATCH_TEST_COMPILED';

/**
 * Every source of the project once for a whole test run, without checking its types (`npm run types` does): each of the
 * hundreds of processes that the run starts is spared half a second of work.
 * @returns the folder
 * @throws with what the compiler says
 */
export async function compileSources(runId: string): Promise<string> {
  const dir = await createRunDir(join(runtimeDir(), 'compiled'), runId);
  const tsc = join(checkoutDir, 'node_modules/typescript/bin/tsc');
  const options = ['--noCheck', '--noEmit', 'false', '--rootDir', '.', '--outDir', dir];
  // The maps name the sources where they are, so that stack traces and coverage do.
  const maps = ['--inlineSourceMap', '--sourceRoot', pathToFileURL(checkoutDir).href];
  await promisify(execFile)(process.execPath, [tsc, '-p', '.', ...options, ...maps], {
    cwd: checkoutDir,
  }).catch(({ stdout, message }) => {
    throw new Error(stdout || message);
  });
  return dir;
}
