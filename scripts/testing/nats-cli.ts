import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lock } from '../servers/directory-lock.ts';
import { runtimeDir } from '../servers/runtime-dir.ts';

const run = promisify(execFile);
const MODULE = 'github.com/nats-io/natscli/nats@v0.5.0';
/** It compiles half a million lines; afterwards it lies in .runtime/go. */
const BUILD_WITHIN_MS = 300_000;

export type Cli = { found: true; file: string } | { found: false; why: string };

const works = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );

/**
 * The nats CLI from PATH, from an earlier run, or built with Go where there is one: once, however many ask, and behind
 * everything else that the machine has to do.
 */
export async function findNatsCli(): Promise<Cli> {
  if (await works(run('nats', ['--version']))) return { found: true, file: 'nats' };
  const bin = join(runtimeDir(), 'go');
  const file = join(bin, 'nats');
  if (await works(access(file))) return { found: true, file };
  if (!(await works(run('go', ['version'])))) {
    return { found: false, why: 'neither the nats CLI nor Go is on PATH' };
  }
  await mkdir(bin, { recursive: true });
  await using _building = await lock(join(bin, 'building.lock'));
  if (await works(access(file))) return { found: true, file };
  try {
    const env = { ...process.env, GOBIN: bin };
    await run('nice', ['-n', '10', 'go', 'install', MODULE], { env, timeout: BUILD_WITHIN_MS });
    return { found: true, file };
  } catch (error) {
    const why = `go install ${MODULE} did not work: ${(error as Error).message.slice(0, 300)}`;
    return { found: false, why };
  }
}
