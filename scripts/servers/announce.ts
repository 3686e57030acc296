export type Announce = (line: string) => void;

/** One line of progress for people, on stderr so that a program's own output on stdout stays clean. */
export const announceOnStderr: Announce = (line) => {
  process.stderr.write(`${line}\n`);
};

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 100 ? 2 : 1)} s`;
}
