import type { Collection } from 'mongodb';
import { sleep } from '../lifecycle/sleep.ts';
import type { TaskDocument } from '../store/task-document.ts';

/** A holder of a delivery writes its journal at least once a second. */
const WATCHED_MS = 1_500;
const LOOK_EVERY_MS = 150;

/**
 * Whether somebody works on a task that came to us, by what is written while we watch: clocks of two machines are not
 * compared. NATS hands out the task of a holder that lives when its signs of life were lost, with a node, in an election, or
 * on a line that was cut; to take it would put a window in doubt though nobody died.
 */
export async function holderLives(
  tasks: Collection<TaskDocument>,
  { id, epoch }: { id: string; epoch: number },
  signal: AbortSignal,
  watchedMs = WATCHED_MS,
): Promise<boolean> {
  const look = () =>
    tasks.findOne(
      { _id: id, epoch, out: true, holder: { $exists: true } },
      { projection: { ownerSeq: 1, progressVersion: 1 } },
    );
  const before = await look();
  if (!before) return false;
  const until = performance.now() + watchedMs;
  while (performance.now() < until && (await sleep(LOOK_EVERY_MS, signal))) {
    const now = await look();
    // At its end, or in another epoch: who takes it next is told what is to be done.
    if (!now) return false;
    if (now.ownerSeq !== before.ownerSeq || now.progressVersion !== before.progressVersion) return true;
  }
  return false;
}
