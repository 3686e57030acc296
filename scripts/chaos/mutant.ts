import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkoutDir, runtimeDir } from '../servers/runtime-dir.ts';
import type { ChaosOptions } from './options.ts';

const COPIED = ['contracts', 'deploy', 'lib', 'scripts', 'services', 'package.json', 'package-lock.json'];
const CONFIGS = ['tsconfig.json', 'tsconfig.build.json'];
const patchDir = join(checkoutDir, 'test/mutants');

/**
 * Runs the chaos on a copy of the tree in which one thing is broken on purpose; nothing of it is in the product.
 * @returns the copy's exit status: 1 where a promise was seen to break, as it has to
 */
export async function runMutant(
  name: string,
  options: ChaosOptions,
  say: (line: string) => void,
): Promise<number> {
  const names = (await readdir(patchDir)).filter((file) => file.endsWith('.patch'));
  const patch = `${name}.patch`;
  if (!names.includes(patch)) {
    say(
      `there is no mutant "${name}"; there are ${names.map((file) => file.replace('.patch', '')).join(', ')}`,
    );
    return 2;
  }
  const copy = await mkdtemp(join(runtimeDir(), 'mutant-'));
  try {
    for (const path of [...COPIED, ...CONFIGS])
      await cp(join(checkoutDir, path), join(copy, path), { recursive: true });
    await symlink(join(checkoutDir, 'node_modules'), join(copy, 'node_modules'));
    await symlink(runtimeDir(), join(copy, '.runtime'));
    // Or git would take the copy for a part of this repository.
    const env = { ...process.env, GIT_CEILING_DIRECTORIES: runtimeDir() };
    await promisify(execFile)('git', ['apply', join(patchDir, patch)], { cwd: copy, env });
    say(`Mutant ${name}: a copy of the tree with ${join('test/mutants', patch)}`);
    const { seconds, seed, faults, json } = options;
    const args = [
      '--seconds',
      `${seconds}`,
      '--seed',
      `${seed}`,
      '--faults',
      faults.join(','),
      '--fail-fast',
    ];
    const child = spawn(
      process.execPath,
      [join(copy, 'scripts/bootstrap.mjs'), 'chaos', ...args, ...(json ? ['--json'] : [])],
      { cwd: copy, stdio: 'inherit' },
    );
    const [code] = await once(child, 'exit');
    return code ?? 2;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
