import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** Not part of a plain `npm test`: they take minutes, or measure. */
const askedForOnly = ['test/bench/', 'test/chaos/'];

/** Every `test/**\/*.test.ts`, as paths from the root with forward slashes, sorted. */
export async function allTestFiles(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'test'), { recursive: true });
  return entries
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path.split(sep).join('/')}`)
    .sort();
}

/**
 * The files whose path contains one of the words; all but test/bench and test/chaos without a word. These two are taken
 * only when a word begins with their folder's name: `chaos`, `bench/engine`, `test/chaos/kill`.
 */
export function selectFiles(files: readonly string[], words: readonly string[]): string[] {
  return files.filter((file) => {
    const slow = askedForOnly.find((folder) => file.startsWith(folder));
    return words.length === 0
      ? !slow
      : words.some((word) => {
          const path = word.replace(/^\.\//, '').replace(/^test\//, '');
          return file.includes(path) && (!slow || `test/${path}/`.startsWith(slow));
        });
  });
}
