import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { endLeaked, leakedProcesses, runMarker } from '../../../scripts/testing/leaked-processes.ts';

test('a detached process of the run is found by its environment and ended; others are not', async () => {
  const runId = `planted-${process.pid}`;
  const program = ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)'];
  const start = (id: string) =>
    spawn(process.execPath, program, {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, [runMarker]: id },
    });
  const leaked = start(runId);
  const other = start(`${runId}-other`);
  try {
    await Promise.all([once(leaked.stdout, 'data'), once(other.stdout, 'data')]);
    const found = await leakedProcesses(runId);
    assert.deepEqual(
      found.map(({ pid }) => pid),
      [leaked.pid],
    );
    assert.match(found[0]?.command ?? '', /setInterval/);
    const ended = once(leaked, 'exit');
    endLeaked(found);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.deepEqual(await leakedProcesses(runId), []);
    assert.equal(other.exitCode, null);
  } finally {
    leaked.kill('SIGKILL');
    other.kill('SIGKILL');
  }
});
