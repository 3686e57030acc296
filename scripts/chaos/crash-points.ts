import { readFileSync } from 'node:fs';

/** Where crash-points.mjs can strike, by the component that passes there. */
export const CRASH_POINTS = {
  batch: [
    /** Before the actor's write. */
    'before-write',
    /** After the write, before anything is published. */
    'written',
    /** After publishing, before the command is acknowledged. */
    'published',
    /** Between a hold and the actor's own write. */
    'held',
  ],
  steps: [
    /** After the intent, before the first submit that it covers. */
    'intent',
    /** With messages on the wire, before any answer. */
    'submitted',
    /** Between the outcome write and the cursor. */
    'outcome-written',
  ],
} as const;

export type CrashPoint = (typeof CRASH_POINTS)[keyof typeof CRASH_POINTS][number];

export interface Strike {
  point: CrashPoint;
  /** kill -9, or SIGSTOP: who froze itself has to be woken from outside. */
  action: 'kill' | 'freeze';
  /** At which passing. */
  nth: number;
  /** Only where this batch is worked on. */
  batchId?: string;
}

/** A line of the log that a process writes of itself. */
export interface StrikeSeen {
  pid: number;
  atMs: number;
  point: CrashPoint;
  /**
   * `kill`, `freeze`: about to. `thawed`: it goes on. `late`: its first write since then to what others have gone on with;
   * `submitted`: a message to the carrier before that write.
   */
  action: 'kill' | 'freeze' | 'thawed' | 'late' | 'submitted';
  batchId?: string;
  /** Of the batch document, as the process had it. */
  version?: number;
  task?: string;
  ownerSeq?: number;
  authorisedTo?: number;
  /** Of a late write: the store, or the broker, would not have it. */
  refused?: boolean;
}

/** The environment of a process of the product that strikes itself; each strike waits for the one before it. */
export function crashEnvironment(strikes: readonly Strike[], logFile: string): Record<string, string> {
  const preload = new URL('./crash-points.mjs', import.meta.url).href;
  const each = strikes.map(({ point, action, nth, batchId }) =>
    [point, action, nth, ...(batchId === undefined ? [] : [batchId])].join(':'),
  );
  return {
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${preload}`.trim(),
    CRASH_POINT: each.join(','),
    CRASH_LOG: logFile,
  };
}

/** What processes have told of themselves so far; nothing where none was struck. */
export function readStrikes(logFile: string): StrikeSeen[] {
  try {
    return readFileSync(logFile, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as StrikeSeen);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
