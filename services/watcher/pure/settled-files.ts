/** A file as a look into its folder shows it. */
export interface SeenFile {
  name: string;
  size: number;
  mtimeMs: number;
  /** Another file under the same name is another file. */
  inode: number;
}

/** What is known of the files of a folder: since when each has been as it is. */
export type KnownFiles = ReadonlyMap<string, SeenFile & { sinceMs: number }>;

export const isSame = (left: SeenFile, right: SeenFile): boolean =>
  left.size === right.size && left.mtimeMs === right.mtimeMs && left.inode === right.inode;

/**
 * Which files have stopped growing: those that were the same at every look for `settleMs`. The clock is ours alone
 * (monotonic): the times of a file may be another machine's.
 */
export function settledFiles(
  known: KnownFiles,
  seen: readonly SeenFile[],
  nowMs: number,
  settleMs: number,
): { settled: SeenFile[]; known: KnownFiles } {
  const next = new Map<string, SeenFile & { sinceMs: number }>();
  const settled: SeenFile[] = [];
  for (const file of seen) {
    const before = known.get(file.name);
    const sinceMs = before && isSame(before, file) ? before.sinceMs : nowMs;
    next.set(file.name, { ...file, sinceMs });
    if (nowMs - sinceMs >= settleMs) settled.push(file);
  }
  return { settled, known: next };
}
