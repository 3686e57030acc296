import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { compareVersions } from './versions.ts';

const run = promisify(execFile);

export interface Python {
  executable: string;
  /** `3.11.7` */
  version: string;
}

export interface PythonWanted {
  atLeast: string;
  /** Exclusive: the wheels have been built for versions below this one. */
  below: string;
}

const candidates = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
const describe = 'import sys, platform; print(sys.executable); print(platform.python_version())';

async function probe(command: string): Promise<Python | null> {
  try {
    const { stdout } = await run(command, ['-c', describe], { timeout: 20_000 });
    const [executable, version] = stdout.trim().split(/\r?\n/);
    return executable && version ? { executable, version } : null;
  } catch {
    return null;
  }
}

async function hasPip(python: Python): Promise<boolean> {
  return run(python.executable, ['-m', 'pip', '--version'], { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

/**
 * A Python in the range that has pip: SMSBATCH_PYTHON, or the first of the usual names on PATH.
 * @throws with what was found and how to put it right
 */
export async function findPython(wanted: PythonWanted, environment = process.env): Promise<Python> {
  const named = environment.SMSBATCH_PYTHON;
  const seen: string[] = [];
  for (const command of named ? [named] : candidates) {
    const python = await probe(command);
    if (!python) continue;
    if (
      compareVersions(python.version, wanted.atLeast) < 0 ||
      compareVersions(python.version, wanted.below) >= 0
    )
      seen.push(`${command} is Python ${python.version}`);
    else if (await hasPip(python)) return python;
    else
      seen.push(
        `${command} (Python ${python.version}) has no pip: install it (Debian, Ubuntu: apt-get install python3-pip)`,
      );
  }
  throw new Error(
    `no Python ${wanted.atLeast} or later, below ${wanted.below}, with pip` +
      `${seen.length > 0 ? ` (${seen.join('; ')})` : ' (none on PATH)'}; ` +
      'name one in SMSBATCH_PYTHON',
  );
}
