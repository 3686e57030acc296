import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ConfigError } from '../../../lib/config/read-config.ts';
import { TYPESCRIPT } from '../../../scripts/engine/typescript-loader.ts';
import { readFolders } from '../../../services/watcher/folders/folder-config.ts';
import {
  type KnownFiles,
  type SeenFile,
  settledFiles,
} from '../../../services/watcher/pure/settled-files.ts';

const run = promisify(execFile);

describe('a file that has stopped growing', () => {
  const file = { name: 'a.csv', size: 10, mtimeMs: 1, inode: 7 };

  /** Looks at times in ms; what was settled at each. */
  const looks = (...seen: [atMs: number, files: SeenFile[]][]): string[][] => {
    let known: KnownFiles = new Map();
    return seen.map(([atMs, files]) => {
      const now = settledFiles(known, files, atMs, 1_000);
      known = now.known;
      return now.settled.map(({ name }) => name);
    });
  };

  it('was the same at every look for so long', () => {
    assert.deepEqual(looks([0, [file]], [900, [file]], [1_000, [file]]), [[], [], ['a.csv']]);
  });

  it('is not one that grows, is touched, or is another one under the same name', () => {
    for (const change of [{ size: 11 }, { mtimeMs: 2 }, { inode: 8 }]) {
      const changed = { ...file, ...change };
      assert.deepEqual(looks([0, [file]], [900, [changed]], [1_800, [changed]], [1_900, [changed]]), [
        [],
        [],
        [],
        ['a.csv'],
      ]);
    }
  });

  it('is not one that was away in between', () => {
    assert.deepEqual(looks([0, [file]], [600, []], [1_100, [file]], [2_100, [file]]), [
      [],
      [],
      [],
      ['a.csv'],
    ]);
  });
});

describe('WATCHER_FOLDERS', () => {
  const template = { name: 'From ${file}', content: 'Hello {{name}}' };
  const problemsOf = (value: unknown): string[] => {
    try {
      readFolders({ WATCHER_FOLDERS: JSON.stringify(value) });
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.errors.map(({ field }) => field);
    }
  };

  it('is a list of folders with a template each', () => {
    assert.deepEqual(readFolders({}), []);
    assert.deepEqual(problemsOf([{ name: 'drop', path: '/drop', template, defaultCountry: 'GB' }]), []);
  });

  it('is refused with every mistake in every folder', () => {
    assert.deepEqual(
      problemsOf([
        { name: 'drop', path: '/drop', template },
        { name: 'drop', path: '/drop', template: { ...template, tableStorageName: 'people' } },
        { name: 'a b', path: '/other', template: { name: 'x' }, colour: 'red' },
        { name: 'c', path: '/c', template: { ...template, description: '${nobody}' } },
      ]).sort(),
      [
        'WATCHER_FOLDERS/1/name',
        'WATCHER_FOLDERS/1/path',
        'WATCHER_FOLDERS/1/template/tableStorageName',
        'WATCHER_FOLDERS/2/colour',
        'WATCHER_FOLDERS/2/name',
        'WATCHER_FOLDERS/2/template/content',
        'WATCHER_FOLDERS/3/template/description',
      ],
    );
  });

  it('stops the start with exit code 2, and says why', async () => {
    const started = run(process.execPath, [...TYPESCRIPT, 'services/main.ts', 'watcher'], {
      env: { ...process.env, WATCHER_FOLDERS: '[{"name":"drop","path":"/drop"}]' },
      timeout: 60_000,
    });
    const { code, stderr } = await started.then(
      () => assert.fail('it started'),
      (error) => error,
    );
    assert.equal(code, 2);
    assert.match(stderr, /WATCHER_FOLDERS\/0\/template is missing/);
  });
});
