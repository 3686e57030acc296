import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';

const program = fileURLToPath(new URL('./fixtures/start-and-wait.ts', import.meta.url));

let runtime = '';
before(async () => {
  runtime = await mkdtemp(join(tmpdir(), 'runtime-'));
});
after(() => rm(runtime, { recursive: true, force: true }));

/** A process of its own that needs nats-server, with nothing on PATH but what pip needs. */
async function start(environment: NodeJS.ProcessEnv): Promise<{ origin: string | null; stderr: string }> {
  const child = spawn(process.execPath, [...TYPESCRIPT, program, 'nats'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NATS_URL: '',
      SMSBATCH_RUNTIME_DIR: runtime,
      SMSBATCH_LOG_DIR: '',
      ...environment,
    },
  });
  let stderr = '';
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const ended = once(child, 'exit');
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => text as string),
    ended.then(() => null),
  ]);
  child.kill();
  await ended;
  return { origin: line === null ? null : JSON.parse(line).started[0].origin, stderr };
}

test('two processes at once fetch one copy, by its hash, and both use it', async (t) => {
  const both = await Promise.all([start({}), start({})]);
  if (both.some(({ origin }) => origin === 'path')) return t.skip('nats-server is on PATH here');
  for (const { origin, stderr } of both) assert.equal(origin, 'private copy', stderr);
  const downloads = both.filter(({ stderr }) => /nats-server 2\.15\.1: downloading/.test(stderr));
  assert.equal(downloads.length, 1);
  assert.match(downloads[0]?.stderr ?? '', /nats-server 2\.15\.1: ready in [\d.]+ s/);
  const [copy = '', ...others] = (await readdir(join(runtime, 'servers'))).sort();
  assert.match(copy, /^nats-server-2\.15\.1-\w+-\w+-[0-9a-f]{8}$/);
  assert.deepEqual(others, [`${copy}.json`]);

  // Found again without a word, and without looking for a Python.
  const again = await start({ PATH: '/bin:/usr/sbin', SMSBATCH_PYTHON: '' });
  assert.equal(again.origin, 'private copy', again.stderr);
  assert.equal(again.stderr, '');
});

test('a download that fails says why and what to do, and leaves nothing half done', async (t) => {
  const empty = await mkdtemp(join(tmpdir(), 'runtime-'));
  try {
    const python = join(empty, 'python');
    const script = `case "$*" in
      *platform*) echo "$0"; echo 3.12.0 ;;
      *--version*) ;;
      *) echo "ERROR: no matching distribution" >&2; exit 1 ;;
    esac`;
    await writeFile(python, `#!/bin/sh\n${script}\n`);
    await chmod(python, 0o755);
    const { origin, stderr } = await start({ SMSBATCH_RUNTIME_DIR: empty, SMSBATCH_PYTHON: python });
    if (origin === 'path') return t.skip('nats-server is on PATH here');
    assert.equal(origin, null);
    assert.match(stderr, /nats-server 2\.15\.1 cannot be had: ERROR: no matching distribution/);
    assert.match(stderr, /Remedy: set NATS_URL to a NATS server 2\.14 or later/);
    assert.deepEqual(await readdir(join(empty, 'servers')), []);
  } finally {
    await rm(empty, { recursive: true, force: true });
  }
});
