/** Anything that runs: a connection, a loop, a server. start and stop may be called twice and in any order. */
export interface Part extends AsyncDisposable {
  readonly name: string;
  /** Resolves when it runs. Rejects when it could not start, or was stopped while starting; nothing is left open then. */
  start(): Promise<void>;
  /** Resolves when everything that start opened is closed. A stopped part may be started again. */
  stop(): Promise<void>;
}

export interface Starting {
  /** Aborts when stop is called, also while start is still running. */
  readonly signal: AbortSignal;
  /** Registers what stop has to undo, at once after opening it. Run in reverse order, each of them even if one throws. */
  defer(undo: () => unknown): void;
  /** Hands a connection to this part: stop disposes of it. */
  use<T extends AsyncDisposable>(resource: T): T;
  /** Starts another part inside this one: stop stops it, also while it is still starting. */
  run<T extends Part>(inner: T): Promise<T>;
}

type Undo = () => unknown;
interface Run {
  readonly abort: AbortController;
  readonly undo: Undo[];
  /** What open does. */
  readonly opening: Promise<void>;
  /** What start's caller waits for: open, and its clean-up where it failed. */
  readonly started: Promise<void>;
  stopped?: Promise<void>;
}

/**
 * Makes a part of one function that opens things and defers their closing:
 *
 *     part('http', async ({ defer }) => {
 *       const server = await listen(port);
 *       defer(() => server.close());
 *     });
 */
export function part(name: string, open: (starting: Starting) => unknown): Part {
  let run: Run | undefined;

  async function start(): Promise<void> {
    // A start during a stop waits for it: two runs must never hold the same port or consumer.
    while (run?.stopped) await run.stopped.catch(() => {});
    run ??= begin();
    return run.started;
  }

  function begin(): Run {
    const abort = new AbortController();
    const undo: Undo[] = [];
    const opening = (async () => {
      await open(starting(abort.signal, undo));
    })();
    const started = opening.then(
      () => {
        if (abort.signal.aborted) throw new Error(`${name} was stopped while it started`);
      },
      async (error) => {
        // A start that failed halfway closes what it had opened; nobody else can.
        await stop().catch((cause) => {
          throw new AggregateError([error, cause], `${name} failed to start, and to clean up`);
        });
        throw error;
      },
    );
    // The caller of start sees the error; a caller of stop alone must not get an unhandled rejection.
    started.catch(() => {});
    return { abort, undo, opening, started };
  }

  async function stop(): Promise<void> {
    const current = run;
    if (!current) return;
    current.stopped ??= finish(current);
    return current.stopped;
  }

  async function finish(current: Run): Promise<void> {
    current.abort.abort(new Error(`${name} is stopping`));
    await current.opening.catch(() => {});
    try {
      await undoAll(name, current.undo);
    } finally {
      run = undefined;
    }
  }

  return { name, start, stop, [Symbol.asyncDispose]: stop };
}

async function undoAll(name: string, undo: Undo[]): Promise<void> {
  const errors: unknown[] = [];
  for (const fn of undo.splice(0).reverse()) {
    try {
      await fn();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${name}: ${errors.length} things failed to stop`);
}

function starting(signal: AbortSignal, undo: Undo[]): Starting {
  return {
    signal,
    defer: (fn) => undo.push(fn),
    use: (resource) => {
      undo.push(() => resource[Symbol.asyncDispose]());
      return resource;
    },
    run: async (inner) => {
      // Deferred before the start, and told at once when stop is called: a part that waits for a server which never
      // comes ends only when it is stopped.
      undo.push(() => inner.stop());
      const stopNow = () => void inner.stop().catch(() => {});
      signal.addEventListener('abort', stopNow);
      try {
        if (!signal.aborted) await inner.start();
      } finally {
        signal.removeEventListener('abort', stopNow);
      }
      return inner;
    },
  };
}

/** Parts as one part: started in order, stopped in reverse. */
export function group(name: string, parts: readonly Part[]): Part {
  return part(name, async ({ run }) => {
    for (const each of parts) await run(each);
  });
}

/**
 * Parts that need nothing of one another, as one part: started and stopped at the same time. For the pull loops of many
 * consumers: each waits for its own open pull, and one after the other would take minutes.
 */
export function together(name: string, parts: readonly Part[]): Part {
  return part(name, async ({ signal, defer }) => {
    defer(async () => throwAll(name, await Promise.allSettled(parts.map((each) => each.stop()))));
    const stopNow = () => {
      for (const each of parts) each.stop().catch(() => {});
    };
    signal.addEventListener('abort', stopNow);
    try {
      throwAll(name, await Promise.allSettled(parts.map((each) => each.start())));
    } finally {
      signal.removeEventListener('abort', stopNow);
    }
  });
}

function throwAll(name: string, results: readonly PromiseSettledResult<void>[]): void {
  const errors = results.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${name}: ${errors.length} parts failed`);
}
