import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkoutDir } from '../servers/runtime-dir.ts';
import { type Durations, SHORT_SECONDS } from './order-files.ts';

const file = join(checkoutDir, 'test/durations.json');

export async function durationsOf(): Promise<Durations> {
  return JSON.parse(await readFile(file, 'utf8'));
}

/** Takes over what a run has recorded: whole seconds, of the files that are worth a line. */
export async function keepDurations(record: string): Promise<void> {
  const all: Record<string, number> = {
    ...(await durationsOf()),
    ...JSON.parse(await readFile(record, 'utf8')),
  };
  const kept = Object.entries(all)
    .map(([path, seconds]) => [path, Math.round(seconds)] as const)
    .filter(([, seconds]) => seconds > SHORT_SECONDS)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  await writeFile(file, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
}
