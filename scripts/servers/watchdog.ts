import { type ChildProcess, spawn } from 'node:child_process';

// A shell outlives a SIGKILL of the process that started the servers: its standard input ends at that moment, whatever the
// way that process went. It ignores what a terminal sends to the whole group, so that Ctrl-C reaches the services first.
const script = `
trap '' INT TERM HUP
pids=
while read -r verb pid; do
  case $verb in
    watch) pids="$pids $pid" ;;
    forget) rest=; for p in $pids; do [ "$p" = "$pid" ] || rest="$rest $p"; done; pids=$rest ;;
    done) exit 0 ;;
  esac
done
if [ -z "$1" ] && [ -n "$pids" ]; then
  kill -TERM $pids 2>/dev/null
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    kill -0 $pids 2>/dev/null || break
    sleep 0.1
  done
fi
[ -n "$pids" ] && kill -KILL $pids 2>/dev/null
[ -n "$1" ] && rm -rf -- "$1"
exit 0
`;

/** Ends servers, and removes their data, when the process that started them is gone without having done so itself. */
export class Watchdog {
  readonly #shell: ChildProcess;

  /** @param temporaryDir removed after the servers; null where data is kept (servers then get 3 s to end by themselves) */
  constructor(temporaryDir: string | null) {
    this.#shell = spawn('sh', ['-c', script, 'smsbatch-watchdog', temporaryDir ?? ''], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#shell.unref();
    // EPIPE where somebody killed the shell: nothing is left to watch then, and no reason to take this process down.
    this.#shell.stdin?.on('error', () => {});
    (this.#shell.stdin as unknown as { unref(): void }).unref();
  }

  watch(pid: number): void {
    this.#shell.stdin?.write(`watch ${pid}\n`);
  }

  forget(pid: number): void {
    this.#shell.stdin?.write(`forget ${pid}\n`);
  }

  /** All servers are stopped: nothing to do any more. */
  dismiss(): void {
    this.#shell.stdin?.end('done\n');
  }
}
