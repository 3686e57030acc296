import { lstat, mkdir, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeenFile } from '../pure/settled-files.ts';

export const DONE = 'done';
export const FAILED = 'failed';

/** A look at a folder with more is continued when these are gone. */
const A_LOOK = 1_000;
/** As programs name a file that they are not done with; and what people do not see. */
const UNFINISHED = /^\.|\.(part|partial|tmp|crdownload|filepart)$|~$/i;

/** What lies in a folder to be taken, in the order of names; makes the folders for what was taken. */
export async function look(path: string): Promise<SeenFile[]> {
  for (const name of [DONE, FAILED]) await makeFolder(join(path, name));
  const seen: SeenFile[] = [];
  for await (const entry of await opendir(path)) {
    if (entry.isDirectory() || UNFINISHED.test(entry.name)) continue;
    const file = await seenFile(join(path, entry.name), entry.name);
    if (file) seen.push(file);
    if (seen.length === A_LOOK) break;
  }
  return seen.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Not the folder itself: where it is missing, a disk may not be mounted yet. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** undefined: it is not there any more. */
export async function seenFile(path: string, name: string): Promise<SeenFile | undefined> {
  try {
    const { size, mtimeMs, ino } = await lstat(path);
    return { name, size, mtimeMs, inode: ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
