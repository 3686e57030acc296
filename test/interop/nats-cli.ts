import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runtimeDir } from '../../scripts/servers/runtime-dir.ts';

const run = promisify(execFile);
const MODULE = 'github.com/nats-io/natscli/nats@v0.5.0';
/** It compiles half a million lines; afterwards it lies in .runtime/go. */
const BUILD_WITHIN_MS = 150_000;

export type Cli = { found: true; file: string } | { found: false; why: string };

/** The nats CLI from PATH, from an earlier run, or built with Go where there is one. */
export async function findNatsCli(): Promise<Cli> {
  const onPath = await run('nats', ['--version']).then(
    () => true,
    () => false,
  );
  if (onPath) return { found: true, file: 'nats' };
  const bin = join(runtimeDir(), 'go');
  const file = join(bin, 'nats');
  if (
    await access(file).then(
      () => true,
      () => false,
    )
  )
    return { found: true, file };
  const hasGo = await run('go', ['version']).then(
    () => true,
    () => false,
  );
  if (!hasGo) return { found: false, why: 'neither the nats CLI nor Go is on PATH' };
  try {
    await run('go', ['install', MODULE], { env: { ...process.env, GOBIN: bin }, timeout: BUILD_WITHIN_MS });
    return { found: true, file };
  } catch (error) {
    return {
      found: false,
      why: `go install ${MODULE} did not work: ${(error as Error).message.slice(0, 300)}`,
    };
  }
}

export interface CliOutput {
  stdout: string;
  stderr: string;
}

/** As a person types it, with the server given. */
export async function nats(file: string, server: string, ...args: string[]): Promise<CliOutput> {
  return run(file, ['--server', server, ...args], { timeout: 20_000 });
}
