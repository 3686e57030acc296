import type { WindowSizer } from '../../../lib/journal/window-size.ts';
import { adoptLeft } from './adopt-left.ts';
import { type ChunkFlush, chunkFlush } from './chunk-flush.ts';
import type { Stop } from './failure-share.ts';
import type { OpenChunks } from './open-chunks.ts';
import { Settlement } from './settlement.ts';
import type { Account } from './task-end.ts';
import { TaskJournal } from './task-journal.ts';
import type { TaskRunOptions } from './task-run-options.ts';
import { TaskSender } from './task-sender.ts';

/** What a task consists of while it has a holder. */
export interface TaskParts {
  settlement: Settlement;
  sender: TaskSender;
  journal: TaskJournal;
  flush: ChunkFlush;
}

export interface TaskEvents {
  onChange(): void;
  onStop(stop: Stop): void;
  onLost(): void;
  onFailed(error: unknown): void;
  onStored(version: number, account: Account): void;
}

/** Reads what the last holder left, decides on what it left in doubt, and puts the parts together; nothing is sent yet. */
export async function takeOverTask(
  options: TaskRunOptions,
  chunks: OpenChunks,
  sizer: WindowSizer,
  events: TaskEvents,
): Promise<TaskParts> {
  const { store, provider, task, rules, encoder, faults } = options;
  const fault = faults ?? (() => {});
  const taken = await store.takeOver();
  const messages = await store.loadMessages(taken.left.map(({ index }) => index));
  const adopted = adoptLeft({ taken, messages, task, rules, nowMs: Date.now() });
  const settlement = new Settlement(rules, adopted.sums, {
    onQuiet: (chunk) => {
      if (chunk.quiet) flush.kick();
    },
    onChange: events.onChange,
    onStop: events.onStop,
    onLateAnswer: options.onLateAnswer,
  });
  const flush = chunkFlush({
    chunks,
    provider: provider.account.name,
    write: (writes) => store.writeOutcomes(writes),
    fault,
    onStored: events.onChange,
    onLost: events.onLost,
    onFailed: events.onFailed,
  });
  const sender = new TaskSender({
    encoder,
    settlement,
    onLeaseSent: (count, elapsedMs) => {
      sizer.sent(count, elapsedMs);
      events.onChange();
    },
    wake: () => provider.wake(),
  });
  const { journal: tasks } = store;
  const { onStored } = events;
  const journal = new TaskJournal({ journal: tasks, chunks, settlement, fault, onStored }, task.authorisedTo);
  for (const chunk of adopted.chunks) {
    chunks.adopt(chunk);
    for (const entry of chunk.outcomes.waiting) settlement.waiting.add({ chunk, entry });
  }
  return { settlement, sender, journal, flush };
}
