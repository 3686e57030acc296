import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../../../../../lib/config/read-config.ts';
import { readProviders } from '../../../../../services/steps/delivery/providers/provider-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'providers-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const account = {
  name: 'acme',
  kind: 'smpp',
  host: 'smsc.example',
  port: 2775,
  systemId: 'me',
  password: 'secret',
};
const problemsOf = (value: unknown) => {
  try {
    readProviders({ SMSBATCH_PROVIDERS: typeof value === 'string' ? value : JSON.stringify(value) });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.ok(!error.message.includes('secret'), 'no password is shown');
    return error.errors.map(({ field, expected }) => `${field}: ${expected}`);
  }
  return [];
};

test('unset: no accounts', () => assert.deepEqual(readProviders({}), []));

test('inline, from a file, and with the password in a file of its own', () => {
  assert.deepEqual(readProviders({ SMSBATCH_PROVIDERS: JSON.stringify([account]) }), [account]);
  const path = file('providers.json', JSON.stringify([account]));
  assert.deepEqual(readProviders({ SMSBATCH_PROVIDERS: path }), [account]);
  assert.deepEqual(readProviders({ SMSBATCH_PROVIDERS_FILE: path }), [account]);
  const { password: _, ...open } = account;
  const passwordFile = file('password', 'from a file\n');
  const [read] = readProviders({ SMSBATCH_PROVIDERS: JSON.stringify([{ ...open, passwordFile }]) });
  assert.equal(read?.password, 'from a file');
});

test('every mistake in every account at once, and no password shown', () => {
  assert.deepEqual(
    problemsOf([
      { ...account, port: 0, windows: 5 },
      { kind: 'http', name: 'x' },
      account,
      { ...account, passwordFile: '/none' },
      { ...account, name: 'b', password: undefined, passwordFile: '/no/such/file' },
    ]).map((each) => each.split(':')[0]),
    [
      'SMSBATCH_PROVIDERS/0/windows',
      'SMSBATCH_PROVIDERS/0/port',
      'SMSBATCH_PROVIDERS/1/kind',
      'SMSBATCH_PROVIDERS/3/name',
      'SMSBATCH_PROVIDERS/3/passwordFile',
      'SMSBATCH_PROVIDERS/4/passwordFile',
    ],
  );
});

test('what is no list, no JSON, no file', () => {
  assert.match(problemsOf('{"name":"acme","password":"secret"}')[0]!, /a list of accounts/);
  assert.match(problemsOf('[{"password":"secret"')[0]!, /JSON/);
  assert.match(problemsOf('/no/such/file')[0]!, /a file that can be read \(ENOENT\)/);
});
