import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isPortFree } from './free-port.ts';
import type { Watchdog } from './watchdog.ts';

const readyWithinMs = 60_000;
const stopWithinMs = 10_000;
const portFreeWithinMs = 10_000;
const pollMs = 5;

export interface ServerCommand {
  /** For messages: `nats-server 2.15.1`. */
  title: string;
  file: string;
  args: readonly string[];
  env?: Record<string, string>;
  ports: readonly number[];
  /** The server's own line in its own log, so that a stranger on the same port is never taken for it. */
  readyLine: RegExp;
  /** Talks to it as a client would; rejects while it does not answer. */
  probe: () => Promise<void>;
}

/** The server could not listen: another process took the port in between. */
export class PortTakenError extends Error {}

/** One server: started, killed, started again on the same ports and data. */
export class ServerProcess {
  readonly command: ServerCommand;
  readonly logFile: string;
  readonly #watchdog: Watchdog;
  #child: ChildProcess | null = null;
  #exit: Promise<void> = Promise.resolve();

  constructor(command: ServerCommand, logFile: string, watchdog: Watchdog) {
    this.command = command;
    this.logFile = logFile;
    this.#watchdog = watchdog;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Resolves when the server answers. */
  async start(): Promise<void> {
    if (this.#child) return;
    const { title, file, args, env } = this.command;
    const log = openSync(this.logFile, 'a');
    const logStart = statSync(this.logFile).size;
    const child = spawn(file, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
      // Its own group: Ctrl-C at a terminal is for the services, which still need their servers to stop in order.
      detached: true,
    });
    closeSync(log);
    const { promise: failed, reject: fail } = rejection();
    this.#child = child;
    if (child.pid) this.#watchdog.watch(child.pid);
    this.#exit = new Promise((resolve) => {
      const gone = (reason: string) => {
        if (child.pid) this.#watchdog.forget(child.pid);
        if (this.#child === child) this.#child = null;
        const output = readFileSync(this.logFile, 'utf8').slice(logStart);
        const message = `${title} ended before it was ready (${reason}); its log: ${this.logFile}\n${lastLines(output)}`;
        fail(
          /address already in use|EADDRINUSE|in use/i.test(output)
            ? new PortTakenError(message)
            : new Error(message),
        );
        resolve();
      };
      child.once('error', (error) => gone(error.message));
      child.once('exit', (code, signal) => gone(signal ?? `exit code ${code}`));
    });
    await Promise.race([failed, this.#becomeReady(child, logStart)]);
  }

  async #becomeReady(child: ChildProcess, logStart: number): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    let lastError = 'its log has no line that says so';
    while (this.#child === child) {
      if (performance.now() > deadline) {
        await this.kill('SIGKILL');
        throw new Error(
          `${this.command.title} was not ready in ${readyWithinMs} ms (${lastError}); its log: ${this.logFile}`,
        );
      }
      if (this.command.readyLine.test(readFileSync(this.logFile, 'utf8').slice(logStart))) {
        try {
          await this.command.probe();
          return;
        } catch (error) {
          lastError = (error as Error).message;
        }
      }
      await delay(pollMs);
    }
  }

  /** Sends the signal; for those that end a process, resolves when it is gone. SIGSTOP and SIGCONT freeze and thaw it. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.#child) return;
    this.#child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await this.#exit;
  }

  /** Kills it if it still runs and starts it on the same ports and data. Resolves when it answers. */
  async restart(): Promise<void> {
    await this.kill('SIGKILL');
    const deadline = performance.now() + portFreeWithinMs;
    while (!(await Promise.all(this.command.ports.map(isPortFree))).every(Boolean)) {
      if (performance.now() > deadline)
        throw new PortTakenError(
          `${this.command.title}: another process took port ${this.command.ports.join(' or ')}`,
        );
      await delay(pollMs);
    }
    await this.start();
  }

  /** @param gently asks it first, so that what it has is written out; else it is killed, for data that is removed anyway */
  async stop(gently: boolean): Promise<void> {
    if (gently && this.#child) {
      this.#child.kill('SIGTERM');
      // A frozen server cannot see SIGTERM.
      this.#child.kill('SIGCONT');
      await Promise.race([this.#exit, delay(stopWithinMs, undefined, { ref: false })]);
    }
    await this.kill('SIGKILL');
  }
}

function rejection(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<never>((_resolve, rejectPromise) => {
    reject = rejectPromise;
  });
  // Also called after the start is over, when nobody listens any more.
  promise.catch(() => {});
  return { promise, reject };
}

function lastLines(text: string, count = 15): string {
  return text
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `  | ${line}`)
    .join('\n');
}
