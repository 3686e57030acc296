import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  access,
  constants,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Announce, seconds } from './announce.ts';
import { lock } from './directory-lock.ts';
import { findPython, type PythonWanted } from './python.ts';
import { runtimeDir } from './runtime-dir.ts';

const run = promisify(execFile);
const pipTimeoutMs = 10 * 60_000;

export interface WheelsWanted {
  /** What people know it by: `nats-server 2.15.1`. */
  title: string;
  /** File in requirements/ with every version and hash; a change of it makes a new copy. */
  requirements: string;
  python: PythonWanted;
  /** Adds the interpreter's version to the copy's name: compiled modules fit one version only. */
  boundToPython: boolean;
  /** More arguments for pip. */
  pipArguments?: readonly string[];
  /** What a person can do in place of this. */
  remedy: string;
}

export interface PrivateCopy {
  dir: string;
  /** The interpreter that pip ran in; the one to run the copy's modules with. */
  python: string;
}

async function pip(
  python: string,
  target: string,
  requirements: string,
  more: readonly string[],
): Promise<void> {
  const args = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
  args.push('--require-hashes', '--only-binary', ':all:', '--target', target, ...more, '-r', requirements);
  try {
    await run(python, args, {
      timeout: pipTimeoutMs,
      maxBuffer: 16 << 20,
      // A user's pip settings that would refuse or redirect `--target`.
      env: { ...process.env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0', PYTHONPATH: '' },
    });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const reasons = (stderr ?? '').split('\n').filter((line) => line.startsWith('ERROR:'));
    throw new Error(reasons.length > 0 ? reasons.join('\n') : stderr?.trim() || message);
  }
}

/**
 * Where a copy was found last, and with which interpreter: asking a Python for its version and for pip takes a second or
 * more on a busy machine, at every start. It holds while the interpreter's real path (`…/python3.11`) is there.
 */
async function rememberedCopy(file: string): Promise<PrivateCopy | null> {
  try {
    const copy = JSON.parse(await readFile(file, 'utf8')) as PrivateCopy;
    await access(copy.python, constants.X_OK);
    await access(copy.dir);
    return copy;
  } catch {
    return null;
  }
}

async function remember(file: string, copy: PrivateCopy): Promise<PrivateCopy> {
  const written = `${file}.${process.pid}`;
  await writeFile(written, JSON.stringify({ ...copy, python: await realpath(copy.python) }));
  await rename(written, file);
  return copy;
}

/** The private copy of a server below the runtime folder, fetched with pip where it is not there yet. */
export async function privateCopy(wanted: WheelsWanted, announce: Announce): Promise<PrivateCopy> {
  const remedied = (error: unknown) =>
    new Error(`${wanted.title} cannot be had: ${(error as Error).message}\n  Remedy: ${wanted.remedy}`);
  const requirements = new URL(`./requirements/${wanted.requirements}`, import.meta.url);
  const pins = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 8);
  const copies = join(runtimeDir(), 'servers');
  const title = wanted.title.replaceAll(/[^\w.]+/g, '-');
  const base = `${title}-${process.platform}-${process.arch}-${pins}`;
  const memory = join(copies, `${base}.json`);
  const remembered = process.env.SMSBATCH_PYTHON ? null : await rememberedCopy(memory);
  if (remembered) return remembered;

  const python = await findPython(wanted.python).catch((error) => {
    throw remedied(error);
  });
  const minor = python.version.split('.').slice(0, 2).join('.');
  const name = wanted.boundToPython ? `${base}-py${minor}` : base;
  const dir = join(copies, name);
  const isThere = () =>
    access(dir).then(
      () => true,
      () => false,
    );
  const copy = { dir, python: python.executable };
  if (await isThere()) return remember(memory, copy);

  await mkdir(copies, { recursive: true });
  await using _held = await lock(join(copies, `${name}.lock`), () =>
    announce(`${wanted.title}: another process is downloading it, waiting`),
  );
  if (await isThere()) return copy;
  announce(`${wanted.title}: downloading`);
  const started = performance.now();
  const unfinished = await mkdtemp(join(copies, '.unfinished-'));
  try {
    await pip(python.executable, unfinished, fileURLToPath(requirements), wanted.pipArguments ?? []);
    // Whoever sees the folder sees all of it.
    await rename(unfinished, dir);
  } catch (error) {
    throw remedied(error);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  announce(`${wanted.title}: ready in ${seconds(performance.now() - started)}`);
  return remember(memory, copy);
}
