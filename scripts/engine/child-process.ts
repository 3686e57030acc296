import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withTimeout } from '../../lib/lifecycle/deadline.ts';
import { TYPESCRIPT } from './typescript-loader.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 30_000;

export interface Child extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** The line of its output that said it is ready. */
  readonly readyLine: Record<string, unknown>;
  /** Resolves with the exit code (null after a signal). */
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL for one that does not go. */
  stop(): Promise<void>;
}

/** Compiles the product into dist/ as `npm run build` does, what production runs; `npm run types` checks the types. */
export const build = (): Promise<unknown> =>
  promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noCheck'],
    { cwd: root },
  );

/** Set by `npm test`, which builds once: a process then starts in half the time. */
export const BUILT = 'SMSBATCH_BUILT';

const isBuilt = (script: string): boolean => process.env[BUILT] === '1' && script.startsWith('services/');

/** Starts a TypeScript program of this project and waits for the JSON line in which it says that it is ready. */
export async function startChild(options: {
  name: string;
  script: string;
  args?: readonly string[];
  env?: Record<string, string | undefined>;
  /** What `build` has made of it, not the source; by default where whoever runs us has built it for this run. */
  built?: boolean;
  logDir: string;
  isReady: (line: Record<string, unknown>) => boolean;
}): Promise<Child> {
  const { name, script, args = [], env, built = isBuilt(script), logDir, isReady } = options;
  const program = built
    ? [join(root, 'dist', script.replace(/\.ts$/, '.js'))]
    : [...TYPESCRIPT, join(root, script)];
  const logFile = join(logDir, `${name}.log`);
  const log = createWriteStream(logFile, { flags: 'a' });
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.stderr.pipe(log, { end: false });
  // It must not outlive us, however we end.
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  void exited.then(() => process.off('exit', killed));
  const readyLine = await withTimeout(
    firstReady(child, log, isReady, exited, logFile),
    READY_WITHIN_MS,
    `the start of ${name} (${logFile})`,
  ).catch((error: unknown) => {
    // Nobody holds it: it would go on beside the next one of its name.
    killed();
    throw error;
  });

  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    try {
      await withTimeout(exited, STOP_WITHIN_MS, `the stop of ${name}`);
    } catch {
      child.kill('SIGKILL');
      await exited;
    }
  }
  return {
    name,
    pid: child.pid!,
    logFile,
    readyLine,
    exited,
    kill: (signal) => void child.kill(signal),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function firstReady(
  child: ChildProcess,
  log: NodeJS.WritableStream,
  isReady: (line: Record<string, unknown>) => boolean,
  exited: Promise<number | null>,
  logFile: string,
): Promise<Record<string, unknown>> {
  const lines = createInterface({ input: child.stdout! });
  const ready = new Promise<Record<string, unknown>>((resolve) => {
    lines.on('line', (text) => {
      log.write(`${text}\n`);
      try {
        const line = JSON.parse(text);
        if (isReady(line)) resolve(line);
      } catch {
        // Not every line of a program is JSON.
      }
    });
  });
  const ended = exited.then((code) => {
    throw new Error(`it ended with ${code} before it was ready; see ${logFile}`);
  });
  return Promise.race([ready, ended]);
}
