import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';

const fixture = fileURLToPath(new URL('fixtures/service.ts', import.meta.url));

/** Runs the fixture, calls `onLine` with each line it prints, and answers with all of them and the exit code. */
async function run(
  env: Record<string, string>,
  onLine: (line: string, kill: (s: NodeJS.Signals) => void) => void,
) {
  const child = spawn(process.execPath, [...TYPESCRIPT, fixture], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    rest += text;
    const complete = rest.split('\n');
    rest = complete.pop() ?? '';
    for (const line of complete) {
      lines.push(line);
      onLine(line, (signal) => child.kill(signal));
    }
  });
  const [code] = await once(child, 'close');
  return { lines, code };
}

describe('runUntilSignal', { concurrency: 2 }, () => {
  it('SIGTERM: not ready, stops in reverse order, exit 0', async () => {
    const { lines, code } = await run({}, (line, kill) => line === 'ready' && kill('SIGTERM'));
    assert.deepEqual(lines, [
      'timer started',
      'ready',
      'not ready',
      'worker stopping',
      'worker stopped',
      'timer stopped',
    ]);
    assert.equal(code, 0);
  });

  it('a signal while it starts stops what was started, exit 0', async () => {
    const { lines, code } = await run(
      { BEHAVIOUR: 'hangs in start' },
      (line, kill) => line === 'ready' && kill('SIGINT'),
    );
    assert.deepEqual(lines, ['timer started', 'ready', 'not ready', 'timer stopped']);
    assert.equal(code, 0);
  });

  it('a part that cannot start: the others are stopped, exit 1', async () => {
    const { lines, code } = await run({ BEHAVIOUR: 'fails' }, () => {});
    assert.deepEqual(lines, ['timer started', 'timer stopped', 'not ready']);
    assert.equal(code, 1);
  });

  it('a stop that hangs is ended by the time-out, exit 1', async () => {
    const { code } = await run(
      { BEHAVIOUR: 'hangs in stop', TIMEOUT_MS: '100' },
      (line, kill) => line === 'ready' && kill('SIGTERM'),
    );
    assert.equal(code, 1);
  });

  it('a second signal forces the exit, exit 1', async () => {
    const { code } = await run({ BEHAVIOUR: 'hangs in stop', TIMEOUT_MS: '60000' }, (line, kill) => {
      if (line === 'ready') kill('SIGTERM');
      if (line === 'worker stopping') kill('SIGTERM');
    });
    assert.equal(code, 1);
  });
});
