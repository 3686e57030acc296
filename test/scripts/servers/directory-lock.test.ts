import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isAlive, lock, tryLock } from '../../../scripts/servers/directory-lock.ts';

let dir = '';
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-'));
});
after(() => rm(dir, { recursive: true, force: true }));

function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  assert.equal(isAlive(pid), false);
  return pid;
}

test('one holder at a time', async () => {
  const path = join(dir, 'one');
  let inside = 0;
  let most = 0;
  const visit = async (): Promise<void> => {
    await using _held = await lock(path);
    inside++;
    most = Math.max(most, inside);
    await readFile(path, 'utf8');
    inside--;
  };
  await Promise.all([visit(), visit(), visit()]);
  assert.equal(most, 1);
});

test('who finds it taken by a living process gets null, or is told that it waits', async () => {
  const path = join(dir, 'taken');
  const held = await lock(path);
  assert.equal(await tryLock(path), null);
  let told = 0;
  const second = lock(path, () => {
    told++;
    void held.release();
  });
  await (await second).release();
  assert.equal(told, 1);
});

test('the lock of a dead process is taken over', async () => {
  const path = join(dir, 'dead');
  await writeFile(path, `${deadPid()}\n`);
  const held = await tryLock(path);
  assert.ok(held);
  assert.equal(Number(await readFile(path, 'utf8')), process.pid);
  await held.release();
});
