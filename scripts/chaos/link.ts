import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export type LinkMode =
  | { kind: 'open' }
  /** Connections end, new ones are refused. */
  | { kind: 'cut' }
  /** Nothing arrives any more, and nobody is told; new connections are taken and lead nowhere. */
  | { kind: 'half-open' }
  | { kind: 'late'; delayMs: number };

/** A TCP proxy between one process and one server. */
export interface Link extends AsyncDisposable {
  readonly port: number;
  set(mode: LinkMode): void;
}

interface Pair {
  near: Socket;
  far: Socket | null;
  /** It was half-open once: bytes are missing, so it can only end. */
  broken: boolean;
}

export async function openLink(target: { host: string; port: number }): Promise<Link> {
  let mode: LinkMode = { kind: 'open' };
  const pairs = new Set<Pair>();

  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.near.destroy();
    pair.far?.destroy();
  };

  const forward = (pair: Pair, from: Socket, to: Socket): void => {
    const waiting: { atMs: number; bytes: Buffer }[] = [];
    const write = (bytes: Buffer): void => {
      if (pair.broken || to.destroyed) return;
      if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    };
    const writeDue = (): void => {
      while (waiting.length > 0 && waiting[0]!.atMs <= performance.now()) write(waiting.shift()!.bytes);
      if (waiting.length > 0) setTimeout(writeDue, waiting[0]!.atMs - performance.now() + 1);
    };
    from.on('data', (bytes: Buffer) => {
      if (mode.kind === 'half-open') pair.broken = true;
      if (pair.broken) return;
      // In order, also when the delay ends: one queue, one timer.
      const last = waiting.at(-1);
      if (mode.kind !== 'late' && !last) {
        write(bytes);
        return;
      }
      const atMs = performance.now() + (mode.kind === 'late' ? mode.delayMs : 0);
      waiting.push({ atMs: Math.max(last?.atMs ?? 0, atMs), bytes });
      if (!last) writeDue();
    });
  };

  const server = createServer({ noDelay: true }, (near) => {
    near.on('error', () => {});
    if (mode.kind === 'cut') {
      near.destroy();
      return;
    }
    const pair: Pair = { near, far: null, broken: mode.kind === 'half-open' };
    pairs.add(pair);
    if (!pair.broken) {
      const far = connect({ ...target, noDelay: true });
      pair.far = far;
      forward(pair, near, far);
      forward(pair, far, near);
      far.on('error', () => {});
      // While nothing arrives, an end does not arrive either.
      far.on('close', () => (pair.broken ? undefined : end(pair)));
    } else near.resume();
    near.on('close', () => end(pair));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as { port: number }).port,
    set(next) {
      mode = next;
      if (next.kind === 'cut') for (const pair of [...pairs]) end(pair);
      else if (next.kind === 'half-open') for (const pair of pairs) pair.broken = true;
      else for (const pair of [...pairs]) if (pair.broken) end(pair);
    },
    async [Symbol.asyncDispose]() {
      for (const pair of [...pairs]) end(pair);
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
