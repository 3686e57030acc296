import { createReadStream } from 'node:fs';
import { access, constants, realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, sep } from 'node:path';
import { refuseSource } from './refuse-source.ts';
import type { Octets } from './text-octets.ts';

const READ_OCTETS = 128 * 1024;

/**
 * A file on this host, under one of the allowed folders (links followed first): a service that read any path would hand
 * the host's files to whoever may send it a request.
 * @param path absolute, or relative to one of the folders
 * @throws RefusedError for a path outside of them, or one that is no file that can be read.
 */
export async function localFile(path: string, allowedFolders: readonly string[]): Promise<Octets> {
  const refuse = (message: string, code: 'invalid' | 'not-found' = 'invalid') => {
    const expected =
      allowedFolders.length === 0
        ? 'a file under one of the folders in TABLE_IMPORT_DIRS, which names none'
        : `a file under ${allowedFolders.join(' or ')} (TABLE_IMPORT_DIRS)`;
    return refuseSource(message, path, expected, { field: 'source/path', code });
  };
  const candidates = isAbsolute(path) ? [path] : allowedFolders.map((folder) => join(folder, path));
  let outside = candidates.length === 0;
  for (const candidate of candidates) {
    const real = await realpath(candidate).catch(() => undefined);
    // Said before whether it exists: the answer must not tell what else lies on this host.
    if (!(await isUnder(real ?? candidate, allowedFolders))) {
      outside = true;
      continue;
    }
    if (real === undefined) continue;
    const found = await stat(real);
    if (!found.isFile()) throw refuse('That is no regular file.');
    await access(real, constants.R_OK).catch(() => {
      throw refuse('The file cannot be read.');
    });
    return {
      label: `file ${basename(path)}`,
      size: found.size,
      open: (signal) => createReadStream(real, { highWaterMark: READ_OCTETS, signal }),
    };
  }
  throw outside ? refuse('Files there are not imported.') : refuse('There is no such file.', 'not-found');
}

async function isUnder(path: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    const real = await realpath(folder).catch(() => undefined);
    if (real !== undefined && join(path).startsWith(real.endsWith(sep) ? real : real + sep)) return true;
  }
  return false;
}
