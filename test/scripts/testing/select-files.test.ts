import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { allTestFiles, selectFiles } from '../../../scripts/testing/select-files.ts';

const files = [
  'test/bench/engine.test.ts',
  'test/chaos/kill-worker.test.ts',
  'test/layers.test.ts',
  'test/lib/smpp/codec.test.ts',
  'test/services/batch/bench-like.test.ts',
];

test('without a word everything but chaos and bench', () => {
  assert.deepEqual(selectFiles(files, []), files.slice(2));
});

test('words are parts of paths, any of them', () => {
  assert.deepEqual(selectFiles(files, ['smpp']), ['test/lib/smpp/codec.test.ts']);
  assert.deepEqual(selectFiles(files, ['layers', 'smpp/codec']), files.slice(2, 4));
  assert.deepEqual(selectFiles(files, ['./test/lib/']), ['test/lib/smpp/codec.test.ts']);
  assert.deepEqual(selectFiles(files, ['test/lib/smpp/codec.test.ts']), ['test/lib/smpp/codec.test.ts']);
});

test('chaos and bench run when they are named', () => {
  assert.deepEqual(selectFiles(files, ['chaos']), ['test/chaos/kill-worker.test.ts']);
  assert.deepEqual(selectFiles(files, ['test/chaos/kill-worker.test.ts']), [
    'test/chaos/kill-worker.test.ts',
  ]);
  assert.deepEqual(selectFiles(files, ['bench/engine']), ['test/bench/engine.test.ts']);
  assert.deepEqual(selectFiles(files, ['kill']), [], 'not by a word that only happens to be in the name');
});

test('a word that nothing has selects nothing', () => {
  assert.deepEqual(selectFiles(files, ['nowhere']), []);
});

test('this very file is among those on the disk', async () => {
  const found = await allTestFiles(fileURLToPath(new URL('../../../', import.meta.url)));
  assert.ok(found.includes('test/scripts/testing/select-files.test.ts'));
  assert.ok(found.every((file) => /^test\/.+\.test\.ts$/.test(file)));
});
