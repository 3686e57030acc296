import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const testing = (file: string): string =>
  fileURLToPath(new URL(`../../../scripts/testing/${file}`, import.meta.url));

const files = {
  'good.test.mjs': `import { test } from 'node:test'; console.log('noise of a good file'); test('fine', () => {});`,
  'bad.test.mjs': `import { test } from 'node:test'; console.log('noise of a bad file');
    test('outer', async (t) => { await t.test('inner', () => { throw new Error('this is why'); }); });`,
  'broken.test.mjs': `this is no program;`,
  'endless.test.mjs': `import { test } from 'node:test'; test('waits', () => {}); setInterval(() => {}, 1000);`,
  // Blocked for ever, as by an endless loop, but without taking the processor from others.
  'busy.test.mjs': `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
};

test('a line for each file, then what failed and why, then the closing figures', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'reporter-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    const args = ['--import', testing('file-deadline.mjs'), testing('run-files.mjs'), '--concurrency=5'];
    // Without the variable by which node's runner recognises that it runs inside itself.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { stdout, status } = spawnSync(process.execPath, [...args, ...Object.keys(files)], {
      cwd: dir,
      encoding: 'utf8',
      env: { ...environment, SMSBATCH_TEST_FILES: '5', SMSBATCH_TEST_FILE_MS: '4000', NO_COLOR: '1' },
    });
    assert.equal(status, 1);
    assert.match(stdout, /^\[\d\/5\] ✔ good\.test\.mjs [\d.]+ s$/m);
    assert.match(stdout, /^\[\d\/5\] ✖ bad\.test\.mjs [\d.]+ s$/m);
    assert.match(stdout, /^\[\d\/5\] ✖ endless\.test\.mjs [\d.]+ s$/m);
    assert.match(stdout, /\nendless\.test\.mjs\n[\s\S]*not over after 4000 ms; still open: .*Timeout/);
    assert.match(stdout, /\nbusy\.test\.mjs\n[\s\S]*not over after 4000 ms, and busy: an endless loop\?/);
    assert.match(stdout, /\nbad\.test\.mjs\n {2}✖ inner\n {6}Error: this is why\n/);
    assert.match(stdout, /noise of a bad file/);
    assert.match(stdout, /\nbroken\.test\.mjs\n[\s\S]*SyntaxError/);
    assert.doesNotMatch(stdout, /✖ outer/, 'a test that failed by its subtest only is no news');
    assert.doesNotMatch(stdout, /noise of a good file/);
    assert.match(stdout, /\nℹ tests \d+\n[\s\S]*ℹ pass \d+\nℹ fail \d+\n/);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
