import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface CliOutput {
  stdout: string;
  stderr: string;
}

/** As a person types it, with the server given. */
export async function nats(file: string, server: string, ...args: string[]): Promise<CliOutput> {
  return run(file, ['--server', server, ...args], { timeout: 20_000 });
}
