import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 50;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export interface HeldLock extends AsyncDisposable {
  release(): Promise<void>;
}

/**
 * Takes the lock file at `path`, which holds its owner's pid; null when a living process has it. A lock whose owner died is
 * taken over: moved aside first, so that of two processes that both see the dead owner only one removes that very file.
 */
export async function tryLock(path: string): Promise<HeldLock | null> {
  for (;;) {
    try {
      await writeFile(path, `${process.pid}\n`, { flag: 'wx' });
      const release = () => rm(path, { force: true });
      return { release, [Symbol.asyncDispose]: release };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(await readFile(path, 'utf8').catch(() => ''));
    // 0: created but not yet written, or just released; look again.
    if (owner === 0) {
      await delay(pollMs);
      continue;
    }
    if (isAlive(owner)) return null;
    const aside = `${path}.${process.pid}.stale`;
    await rename(path, aside).catch(() => {});
    await rm(aside, { force: true });
  }
}

/** Waits for the lock file at `path`; `onWait` is called once when another process has it. */
export async function lock(path: string, onWait: () => void = () => {}): Promise<HeldLock> {
  let waited = false;
  for (;;) {
    const held = await tryLock(path);
    if (held) return held;
    if (!waited) onWait();
    waited = true;
    await delay(pollMs);
  }
}
