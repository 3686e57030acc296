import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import Type from 'typebox';
import { describeConfig } from '../../../lib/config/describe-config.ts';
import { newHostId } from '../../../lib/config/host-id.ts';
import { ConfigError, readConfig } from '../../../lib/config/read-config.ts';
import { serverConfig } from '../../../lib/config/server-config.ts';
import { unknownVariables } from '../../../lib/config/unknown-variables.ts';

const schema = Type.Object({
  ...serverConfig.properties,
  SMSBATCH_PARTITIONS: Type.Integer({
    default: 32,
    minimum: 1,
    maximum: 256,
    description: 'Command | partitions',
  }),
  SMSBATCH_FAST: Type.Boolean({ default: false }),
  SMSBATCH_RATIO: Type.Number({ default: 0.5, minimum: 0, maximum: 1 }),
  SMSBATCH_TYPES: Type.Array(Type.String({ minLength: 1 }), { default: [] }),
  SMSBATCH_API_KEY: Type.Optional(
    Type.String({ secret: true, minLength: 8, expected: '8 characters or more' }),
  ),
});

const errorsOf = (env: Record<string, string>) => {
  try {
    readConfig(schema, env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.errors.map((each) => `${each.field}|${each.value}|${each.expected}`);
  }
};

describe('readConfig', () => {
  it('an empty environment gives the defaults, and an empty variable is an unset one', () => {
    const config = readConfig(schema, { NATS_URL: '', SMSBATCH_PARTITIONS: '  ', HTTP_PORT: '' });
    assert.equal(config.NATS_URL, 'nats://127.0.0.1:4222');
    assert.equal(config.SMSBATCH_PARTITIONS, 32);
    assert.equal(config.HTTP_PORT, undefined);
    assert.equal(config.REDIS_ADDR, '127.0.0.1:6379');
    assert.deepEqual(config.SMSBATCH_TYPES, []);
  });

  it('reads numbers, booleans and lists', () => {
    const config = readConfig(schema, {
      HTTP_PORT: '0',
      SMSBATCH_FAST: '1',
      SMSBATCH_RATIO: '.25',
      SMSBATCH_TYPES: 'delivery, partition,',
      REDIS_ADDR: 'redis://:pw@redis:6380/1',
    });
    assert.equal(config.HTTP_PORT, 0);
    assert.equal(config.SMSBATCH_FAST, true);
    assert.equal(config.SMSBATCH_RATIO, 0.25);
    assert.deepEqual(config.SMSBATCH_TYPES, ['delivery', 'partition']);
    assert.equal(readConfig(schema, { SMSBATCH_FAST: 'FALSE' }).SMSBATCH_FAST, false);
  });

  it('lists every mistake at once, more than eight too, with secrets hidden', () => {
    assert.deepEqual(
      errorsOf({
        NATS_REPLICAS: '9',
        MONGODB_URL: 'http://me:pw@mongo',
        MONGODB_DATABASE: 'a b',
        REDIS_ADDR: 'http://redis',
        LOG_LEVEL: 'loud',
        HTTP_PORT: '80x',
        SHUTDOWN_TIMEOUT_MS: '5s',
        SMSBATCH_PARTITIONS: '1.5',
        SMSBATCH_FAST: 'yes',
        SMSBATCH_RATIO: '2',
        SMSBATCH_API_KEY: 'short',
      }),
      [
        'NATS_REPLICAS|9|a whole number, 1 to 5',
        'MONGODB_URL|(hidden)|an address that begins with mongodb:// or mongodb+srv://',
        'MONGODB_DATABASE|a b|1 to 38 letters, digits, _ or -',
        'REDIS_ADDR|(hidden)|host:port, or an address that begins with redis:// or rediss://',
        'LOG_LEVEL|loud|one of fatal, error, warn, info, debug, trace, silent',
        'HTTP_PORT|80x|a whole number, 0 to 65535',
        'SHUTDOWN_TIMEOUT_MS|5s|a whole number of milliseconds, 100 to 600000',
        'SMSBATCH_PARTITIONS|1.5|a whole number, 1 to 256',
        'SMSBATCH_FAST|yes|true, false, 1 or 0',
        'SMSBATCH_RATIO|2|a number, 0 to 1',
        'SMSBATCH_API_KEY|(hidden)|8 characters or more',
      ],
    );
  });

  it('says what is missing, in words', () => {
    const strict = Type.Object({ SMSBATCH_NAME: Type.String({ expected: 'a name' }) });
    assert.throws(() => readConfig(strict, {}), {
      message: 'the configuration has a mistake:\n  SMSBATCH_NAME is missing: a name',
    });
  });

  it('a secret from a file: without its last line break, and not from two places', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'smsbatch-config-'));
    const file = join(folder, 'key');
    await writeFile(file, 'long enough\n');
    assert.equal(readConfig(schema, { SMSBATCH_API_KEY_FILE: file }).SMSBATCH_API_KEY, 'long enough');
    assert.deepEqual(errorsOf({ SMSBATCH_API_KEY_FILE: file, SMSBATCH_API_KEY: 'long enough' }), [
      `SMSBATCH_API_KEY_FILE|${file}|only one of SMSBATCH_API_KEY and SMSBATCH_API_KEY_FILE`,
    ]);
    await rm(folder, { recursive: true });
    assert.deepEqual(errorsOf({ SMSBATCH_API_KEY_FILE: file }), [
      `SMSBATCH_API_KEY_FILE|${file}|a file that can be read (ENOENT)`,
    ]);
  });

  it('never takes a text that is not wholly a number', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (text.trim() === '') return;
        const isNumber = /^[+-]?\d+$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= 256;
        assert.equal(errorsOf({ SMSBATCH_PARTITIONS: text }).length, isNumber ? 0 : 1);
      }),
    );
  });
});

describe('unknownVariables', () => {
  it('warns of ours only, with what was probably meant', () => {
    assert.deepEqual(
      unknownVariables(
        {
          SMSBATCH_PARTITION: '1',
          SMSBATCH_FAST: '1',
          SMSBATCH_API_KEY_FILE: 'x',
          SMSBATCH_OTHER: '',
          PATH: '',
        },
        [schema],
      ),
      [
        'SMSBATCH_OTHER is unknown and has no effect',
        'SMSBATCH_PARTITION is unknown and has no effect: did you mean SMSBATCH_PARTITIONS?',
      ],
    );
  });
});

describe('describeConfig', () => {
  it('is a table of every variable', () => {
    const lines = describeConfig(schema).split('\n');
    assert.ok(
      lines.includes('| `SMSBATCH_PARTITIONS` | a whole number, 1 to 256 | `32` | Command \\| partitions |'),
    );
    assert.ok(
      lines.includes('| `SMSBATCH_API_KEY` or `SMSBATCH_API_KEY_FILE` | 8 characters or more | none |  |'),
      lines.join('\n'),
    );
    assert.equal(lines.length, Object.keys(schema.properties).length + 3);
  });
});

describe('newHostId', () => {
  it('is a subject token, whatever the host is called', () => {
    for (const name of ['node-1.example.com', 'ünï', '', 'x'.repeat(100)]) {
      assert.match(newHostId(name), /^[A-Za-z0-9_-]{1,64}$/);
    }
    assert.notEqual(newHostId(), newHostId());
  });
});
