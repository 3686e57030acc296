import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { kindsFor } from '../../../scripts/chaos/fault-kinds.ts';
import { planOf } from '../../../scripts/chaos/plan.ts';
import type { ChaosResult } from '../../../scripts/chaos/result.ts';
import { checkoutDir } from '../../../scripts/servers/runtime-dir.ts';

const run = promisify(execFile);
const ALL = kindsFor('single');

it('a seed makes the same plan again, and users do the same whatever the faults', () => {
  assert.deepEqual(planOf(7, 300, ALL), planOf(7, 300, ALL));
  assert.notDeepEqual(planOf(7, 300, ALL), planOf(8, 300, ALL));
  assert.deepEqual(planOf(7, 300, ALL).deeds, planOf(7, 300, ['kill']).deeds);
  const kinds = new Set(planOf(7, 3_600, ALL).faults.map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), [...ALL].sort());
  assert.ok(planOf(7, 60, ['freeze']).faults.every(({ kind, atMs }) => kind === 'freeze' && atMs < 60_000));
});

it('every mutant still fits the code that it breaks', async () => {
  const dir = join(checkoutDir, 'test/mutants');
  const names = await readdir(dir);
  for (const name of ['no-fence', 'intent-after-send', 'ack-before-write', 'counter-done'])
    assert.ok(names.includes(`${name}.patch`), name);
  for (const name of names) await run('git', ['apply', '--check', join(dir, name)], { cwd: checkoutDir });
});

it('some seconds of mixed chaos: every promise is kept', { timeout: 170_000 }, async (t) => {
  const { stdout, stderr } = await run(
    process.execPath,
    [join(checkoutDir, 'scripts/bootstrap.mjs'), 'chaos', '--seconds', '20', '--seed', '6', '--json'],
    { cwd: checkoutDir, maxBuffer: 64 * 1024 ** 2 },
  ).catch((error: { stdout: string; stderr: string }) => error);
  const result = JSON.parse(stdout || 'null') as ChaosResult | null;
  assert.equal(result?.ok, true, stderr);
  const { faults, batches, messages, kills, unknown, settledAfterMs } = result!;
  t.diagnostic(JSON.stringify({ faults, batches, messages, kills, unknown, settledAfterMs }));
  assert.ok(messages > 0 && batches > 0, stderr);
});
