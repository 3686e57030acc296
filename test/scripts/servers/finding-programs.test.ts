import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { localMongoUrl, withoutRetryWrites } from '../../../scripts/servers/mongo.ts';
import { findOnPath } from '../../../scripts/servers/path-binary.ts';
import { findPython } from '../../../scripts/servers/python.ts';
import { compareVersions } from '../../../scripts/servers/versions.ts';

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'programs-'));
});
after(() => rm(dir, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

test('versions compare by number', () => {
  assert.ok(compareVersions('2.9.0', '2.14.0') < 0);
  assert.ok(compareVersions('7.0.15', '6.2.0') > 0);
  assert.equal(compareVersions('2.14', '2.14.0'), 0);
  assert.ok(compareVersions('3.13.0rc1', '3.13.1') < 0);
});

const wanted = { names: ['served', 'served-too'], atLeast: '2.14.0', versionIn: /v(\d+\.\d+\.\d+)/ };

test('a program on PATH that is new enough is used', async () => {
  const path = await program('served', 'echo "served: v2.15.3"');
  assert.deepEqual(await findOnPath(wanted, `/nowhere:${dir}`), {
    binary: { path, version: '2.15.3' },
    passedOver: [],
  });
});

test('one that is too old is passed over by name, and the next name is tried', async () => {
  const old = await program('served', 'echo "served: v2.9.25"');
  const path = await program('served-too', 'echo "v2.14.0"');
  assert.deepEqual(await findOnPath(wanted, dir), {
    binary: { path, version: '2.14.0' },
    passedOver: [`${old} is 2.9.25, 2.14.0 or later is needed`],
  });
});

test('none on PATH', async () => {
  assert.deepEqual(await findOnPath(wanted, '/nowhere'), { binary: null, passedOver: [] });
});

const range = { atLeast: '3.10', below: '3.14' };

test('a Python without pip is named with the remedy', async () => {
  const python = await program(
    'python-without-pip',
    '[ "$1" = -c ] && { echo "$0"; echo 3.11.2; exit; }; exit 1',
  );
  await assert.rejects(
    findPython(range, { SMSBATCH_PYTHON: python }),
    /has no pip: install it .*python3-pip/,
  );
});

test('a Python out of range is named with its version and the range', async () => {
  const python = await program('python-old', 'echo "$0"; echo 3.9.18');
  await assert.rejects(
    findPython(range, { SMSBATCH_PYTHON: python }),
    /no Python 3\.10 or later, below 3\.14, with pip \(.*python-old is Python 3\.9\.18\); name one in SMSBATCH_PYTHON/,
  );
});

test('every MongoDB address gets retryWrites=false, and nothing else changes', () => {
  for (const [given, expected] of [
    ['mongodb://a', 'mongodb://a/?retryWrites=false'],
    ['mongodb://a:1,b:2/', 'mongodb://a:1,b:2/?retryWrites=false'],
    ['mongodb://u:p@a/db?replicaSet=r', 'mongodb://u:p@a/db?replicaSet=r&retryWrites=false'],
    ['mongodb+srv://a/?retryWrites=true&w=majority', 'mongodb+srv://a/?retryWrites=false&w=majority'],
  ] as const)
    assert.equal(withoutRetryWrites(given), expected);
  assert.equal(localMongoUrl(1), 'mongodb://127.0.0.1:1/?directConnection=true&retryWrites=false');
});
