import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Set in the environment of a test run: whatever it starts inherits it, so its leavings are found by it. */
export const runMarker = 'SMSBATCH_TEST_RUN';

export interface LeakedProcess {
  pid: number;
  command: string;
}

const graceMs = 3000;
const pollMs = 100;

async function fromProc(marker: string): Promise<LeakedProcess[]> {
  const found: LeakedProcess[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string) => readFile(`/proc/${name}/${file}`, 'latin1').catch(() => '');
    if (!(await read('environ')).split('\0').includes(marker)) continue;
    const command = (await read('cmdline')).split('\0').join(' ').trim().replaceAll(/\s+/g, ' ');
    found.push({ pid: Number(name), command });
  }
  return found;
}

async function fromPs(marker: string): Promise<LeakedProcess[]> {
  // macOS: -E adds the environment to the command.
  const { stdout } = await run('ps', ['-axEww', '-o', 'pid=,command='], { maxBuffer: 32 << 20 });
  return stdout
    .split('\n')
    .filter((line) => line.includes(marker))
    .map((line) => ({
      pid: Number.parseInt(line, 10),
      command: line
        .trim()
        .replace(/^\d+\s+/, '')
        .slice(0, 200),
    }));
}

/** Processes of the test run that still live, after they had 3 s to end by themselves. */
export async function leakedProcesses(runId: string): Promise<LeakedProcess[]> {
  const marker = `${runMarker}=${runId}`;
  const look = process.platform === 'linux' ? fromProc : fromPs;
  const deadline = performance.now() + graceMs;
  for (;;) {
    const found = (await look(marker)).filter((one) => one.pid !== process.pid);
    if (found.length === 0 || performance.now() > deadline) return found;
    await delay(pollMs);
  }
}

export function endLeaked(leaked: readonly LeakedProcess[]): void {
  for (const { pid } of leaked) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone in between.
    }
  }
}
