import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bootstrap = fileURLToPath(new URL('../../scripts/bootstrap.mjs', import.meta.url));

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bootstrap-'));
  await mkdir(join(dir, 'scripts'));
  await cp(bootstrap, join(dir, 'scripts/bootstrap.mjs'));
});
after(() => rm(dir, { recursive: true, force: true }));

async function project(engines: string): Promise<void> {
  const about = { name: 'p', version: '1.0.0', engines: { node: engines } };
  await writeFile(join(dir, 'package.json'), JSON.stringify(about));
  const lock = { ...about, lockfileVersion: 3, packages: { '': about } };
  await writeFile(join(dir, 'package-lock.json'), JSON.stringify(lock));
}

function run(...args: string[]) {
  const environment = { ...process.env, npm_config_update_notifier: 'false' };
  return spawnSync(process.execPath, ['scripts/bootstrap.mjs', ...args], {
    cwd: dir,
    encoding: 'utf8',
    env: environment,
  });
}

test('a Node that is too old is told so', async () => {
  await project('>=99.1');
  const { status, stderr } = run('test');
  assert.equal(status, 1);
  assert.match(stderr, /^smsbatch needs Node 99\.1 or later, this is \d+\.\d+\.\d+ \(.+\)\.\n$/);
});

test('a script that is not there is named', async () => {
  await project('>=18.0');
  const { status, stderr } = run('absent');
  assert.equal(status, 1);
  assert.match(stderr, /there is no .*scripts\/absent\.ts/);
});

test('packages are installed when the lock file asks for others, and only then', async () => {
  const { isInstalled } = (await import(pathToFileURL(bootstrap).href)) as {
    isInstalled: (wanted: unknown, installed: unknown) => boolean;
  };
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const wanted = {
    packages: { '': {}, 'node_modules/a': a, 'node_modules/b-darwin': { ...a, optional: true } },
  };
  assert.equal(isInstalled(wanted, { packages: { 'node_modules/a': a } }), true);
  assert.equal(isInstalled(wanted, { packages: { 'node_modules/a': { ...a, version: '1.0.1' } } }), false);
  assert.equal(
    isInstalled(wanted, { packages: { 'node_modules/a': { ...a, integrity: 'sha512-b' } } }),
    false,
  );
  assert.equal(isInstalled(wanted, { packages: {} }), false);
  // What this very run was started from.
  const read = async (path: string) => JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'));
  const here = await read('../../package-lock.json');
  assert.equal(isInstalled(here, await read('../../node_modules/.package-lock.json')), true);
});
