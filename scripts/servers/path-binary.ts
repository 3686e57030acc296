import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { compareVersions } from './versions.ts';

const run = promisify(execFile);

export interface Binary {
  path: string;
  version: string;
}

export interface BinaryWanted {
  /** Looked for in this order: a compatible server may have another name. */
  names: readonly string[];
  /** The oldest version that will do. */
  atLeast: string;
  /** Finds the version in what `--version` prints, as its first group. */
  versionIn: RegExp;
}

async function onPath(name: string, path: string): Promise<string | null> {
  for (const dir of path.split(delimiter).filter(Boolean)) {
    const file = join(dir, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return null;
}

/** A binary on PATH that is new enough, or null and one line for each that is not. */
export async function findOnPath(
  wanted: BinaryWanted,
  path: string = process.env.PATH ?? '',
): Promise<{ binary: Binary | null; passedOver: string[] }> {
  const passedOver: string[] = [];
  for (const name of wanted.names) {
    const file = await onPath(name, path);
    if (!file) continue;
    const printed = await run(file, ['--version'], { timeout: 10_000 }).then(
      (result) => result.stdout + result.stderr,
      (error: Error) => error.message,
    );
    const version = wanted.versionIn.exec(printed)?.[1];
    if (version && compareVersions(version, wanted.atLeast) >= 0)
      return { binary: { path: file, version }, passedOver };
    passedOver.push(`${file} is ${version ?? 'of unknown version'}, ${wanted.atLeast} or later is needed`);
  }
  return { binary: null, passedOver };
}
