import type { OutcomeWrite } from '../../../lib/journal/outcome-writes.ts';
import type { DeliveryChunk } from './delivery-chunk.ts';
import type { FaultPoint } from './faults.ts';
import type { OpenChunks } from './open-chunks.ts';

/** A chunk that is not finished is stored all the same after so long. */
const SLOW_CHUNK_MS = 5_000;
/**
 * So many finished chunks are stored in one write, or fewer after this long. What is known of them travels with each intent
 * meanwhile: more in one write makes the intents slower than it saves (measured: 3 a write 75,000 to 84,000 messages/s,
 * 2 a write 94,000 to 104,000).
 */
const CHUNKS_A_WRITE = 2;
const LINGER_MS = 8;

export interface ChunkFlush {
  /** Stores what is due, beside the sending; at most one write is on the way. */
  kick(): void;
  /** Stores everything that is not stored. False: the chunks belong to another holder. */
  all(): Promise<boolean>;
}

/** Writes the outcomes of finished chunks, and of slow ones every five seconds; finished ones are then let go. */
export function chunkFlush(options: {
  chunks: OpenChunks;
  provider: string;
  write(writes: readonly OutcomeWrite[]): Promise<boolean>;
  fault(point: FaultPoint): void;
  onStored(): void;
  onLost(): void;
  onFailed(error: unknown): void;
}): ChunkFlush {
  const { chunks } = options;
  let writing: Promise<boolean> | undefined;
  let lingerUntil = 0;
  let timer: NodeJS.Timeout | undefined;

  function lingered(): void {
    timer = undefined;
    kick();
  }

  const isDue = (chunk: DeliveryChunk, nowMs: number): boolean =>
    chunk.outcomes.hasFacts && (chunk.quiet || nowMs - chunk.unstoredSince >= SLOW_CHUNK_MS);

  async function store(due: readonly DeliveryChunk[]): Promise<boolean> {
    const marks = due.map((chunk) => chunk.outcomes.change);
    const writes = due.map((chunk) => writeOf(chunk, options.provider));
    for (const chunk of due) chunk.unstoredSince = performance.now();
    options.fault('outcomes:before');
    const storing = options.write(writes);
    options.fault('outcomes:issued');
    if (!(await storing)) return false;
    options.fault('outcomes:stored');
    due.forEach((chunk, i) => {
      chunk.outcomes.stored(marks[i]!);
      if (!chunk.outcomes.hasFacts) chunk.unstoredSince = 0;
      chunks.close(chunk);
    });
    options.onStored();
    return true;
  }

  function kick(): void {
    if (writing) return;
    const nowMs = performance.now();
    const due: DeliveryChunk[] = [];
    for (const chunk of chunks.all()) {
      if (isDue(chunk, nowMs)) due.push(chunk);
      else if (chunk.quiet) chunks.close(chunk);
    }
    if (due.length === 0) return;
    if (due.length < CHUNKS_A_WRITE && chunks.sendsOn) {
      lingerUntil ||= nowMs + LINGER_MS;
      if (nowMs < lingerUntil) {
        timer ??= setTimeout(lingered, lingerUntil - nowMs);
        return;
      }
    }
    lingerUntil = 0;
    writing = store(due);
    writing.then(
      (stored) => {
        writing = undefined;
        if (stored) kick();
        else options.onLost();
      },
      (error) => {
        writing = undefined;
        options.onFailed(error);
      },
    );
  }

  async function all(): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    while (writing) if (!(await writing)) return false;
    const unstored = chunks.all().filter((chunk) => chunk.outcomes.hasFacts);
    const stored = unstored.length === 0 || (await store(unstored));
    for (const chunk of chunks.all()) chunks.close(chunk);
    return stored;
  }

  return { kick, all };
}

const writeOf = (chunk: DeliveryChunk, provider: string): OutcomeWrite => ({
  document: chunk.document,
  columns: chunk.outcomes.encode(),
  counts: { ...chunk.outcomes.counts },
  segments: chunk.segments,
  resent: chunk.resent,
  provider,
  sentFromMs: chunk.sentFromMs,
  sentToMs: chunk.sentToMs,
});
