/** Seconds that a file took when it was last recorded (`npm test -- --record`), by its path. */
export type Durations = Readonly<Record<string, number>>;

/** Files that take no longer are not recorded. */
export const SHORT_SECONDS = 3;

/** What a long file is taken for until it is recorded: it must not be the one that everybody waits for in the end. */
const UNKNOWN_SECONDS = 30;

/** The longest first: they mostly wait, and the many short ones, which mostly compute, fill the lanes to the end. */
export function longestFirst(
  files: readonly string[],
  durations: Durations,
  { isLong, isLate }: { isLong: (path: string) => boolean; isLate: (path: string) => boolean },
): string[] {
  const seconds = (path: string): number => {
    const expected = durations[path] ?? (isLong(path) ? UNKNOWN_SECONDS : 0);
    return isLate(path) ? Math.min(expected, SHORT_SECONDS) : expected;
  };
  return files.toSorted((a, b) => seconds(b) - seconds(a));
}
