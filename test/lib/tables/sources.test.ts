import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { RowSource } from '../../../lib/tables/row-source.ts';
import { csvSource, sniffDelimiter } from '../../../lib/tables/sources/csv-source.ts';
import { fileSource } from '../../../lib/tables/sources/file-source.ts';
import { localFile } from '../../../lib/tables/sources/local-file.ts';
import { ndjsonSource } from '../../../lib/tables/sources/ndjson-source.ts';
import { findPhoneColumn } from '../../../lib/tables/sources/phone-column.ts';
import { octets, tempFolder } from './support.ts';

const never = new AbortController().signal;

async function read(source: RowSource) {
  const rows: (readonly string[])[] = [];
  const lines: number[] = [];
  let columns: readonly string[] = [];
  let phoneAt = 0;
  for await (const batch of source.batches(never)) {
    rows.push(...batch.rows);
    lines.push(...batch.lines);
    columns = batch.columns;
    phoneAt = batch.phoneAt;
    assert.deepEqual(batch.badLines, []);
  }
  return { columns, phoneAt, rows, lines, sha256: source.sha256() };
}

const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;

describe('csvSource', () => {
  it('gives back what was written, with its lines, however it is cut into pieces', async () => {
    const value = fc.oneof(
      fc.constantFrom('', 'plain', '王小明', 'a,b', 'two\nlines', 'w\r\nx', 'say "hi"', ' 🎉 '),
      fc.string({ maxLength: 20, unit: 'grapheme' }).map((text) => text.replaceAll(/[\0\r]/g, '')),
    );
    const table = fc.array(fc.tuple(fc.nat({ max: 99_999 }), value, value), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        async (rows, end, pieces, bom) => {
          const written = rows.map(([n, a, b]) => [`+44791${n}`, a, b]);
          const text = [['phone', 'a', 'b'], ...written].map((row) => row.map(quoted).join(',')).join(end);
          const found = await read(csvSource(octets((bom ? '\ufeff' : '') + text, { pieces })));
          assert.deepEqual(found.columns, ['phone', 'a', 'b']);
          assert.deepEqual(found.rows, written);
          let line = 2;
          const expected = written.map((row) => {
            const at = line;
            line += 1 + (row.join('').match(/\r\n|\n|\r/g)?.length ?? 0);
            return at;
          });
          assert.deepEqual(found.lines, expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('finds the delimiter in the first line, outside of quotes', () => {
    assert.equal(sniffDelimiter('phone;name;first,last\n1,2,3,4'), ';');
    assert.equal(sniffDelimiter('"a;b;c",phone\n'), ',');
    assert.equal(sniffDelimiter('\ufeffphone\tname'), '\t');
    assert.equal(sniffDelimiter('phone|name'), '|');
    assert.equal(sniffDelimiter('phone'), ',');
  });

  it('reads a file without a header line where that is said', async () => {
    const found = await read(csvSource(octets('+447911123456\n+447911123457\n'), { header: false }));
    assert.deepEqual(found, { ...found, columns: ['column1'], phoneAt: 0, lines: [1, 2] });
    const second = await read(
      csvSource(octets('A;+447911123456\n'), { header: false, phoneColumn: 'column2' }),
    );
    assert.deepEqual(second.rows, [['A', '+447911123456']]);
    assert.equal(second.phoneAt, 1);
  });

  it('passes over empty lines, and takes mixed line ends', async () => {
    const found = await read(csvSource(octets('\nphone,a\r\n+447911123456,1\n\n\r\n+447911123457,2\r\n')));
    assert.deepEqual(found.rows, [
      ['+447911123456', '1'],
      ['+447911123457', '2'],
    ]);
    assert.deepEqual(found.lines, [3, 6]);
  });

  it('is the same content packed or not', async () => {
    const text = `phone,a\n+447911123456,${'x'.repeat(1_000)}\n`;
    const plain = await read(csvSource(octets(text)));
    const packed = await read(csvSource(octets(gzipSync(text), { pieces: 9 })));
    assert.deepEqual(packed, plain);
    assert.match(plain.sha256, /^[0-9a-f]{64}$/);
  });
});

describe('ndjsonSource', () => {
  it('takes keys as columns as they turn up, and variables in an object of that name', async () => {
    const text = [
      '\ufeff{"phone":"+447911123456","name":"王"}',
      '',
      '{"name":"B","vip":true,"phone":447911123457,"none":null}',
      '{"phone":"+447911123458","variables":{"name":"C","code":7}}',
    ].join('\r\n');
    const found = await read(ndjsonSource(octets(text, { pieces: 11 })));
    assert.deepEqual(found.columns, ['phone', 'name', 'vip', 'none', 'code']);
    assert.deepEqual(found.rows[0], ['+447911123456', '王']);
    assert.deepEqual(found.rows[1], ['447911123457', 'B', 'true', '']);
    assert.deepEqual(found.rows[2], ['+447911123458', 'C', '', '', '7']);
    assert.deepEqual(found.lines, [1, 3, 4]);
  });

  it('reports a line that is no object', async () => {
    const source = ndjsonSource(octets('{"phone":"+447911123456"}\nnope\n[1]\n{"phone":"1","list":[1]}\n'));
    const bad: string[] = [];
    for await (const batch of source.batches(never))
      bad.push(...batch.badLines.map(({ line, code }) => `${line} ${code}`));
    assert.deepEqual(bad, ['2 NOT_JSON', '3 NOT_AN_OBJECT', '4 NOT_A_VALUE']);
  });

  it('is chosen by the name of the file', async () => {
    const file = octets('{"tel":"+447911123456"}', { label: 'object people.jsonl.gz' });
    assert.deepEqual((await read(fileSource(file))).columns, ['tel']);
  });
});

describe('findPhoneColumn', () => {
  it('knows the names that people use', () => {
    for (const name of [
      'phone',
      'Phone Number',
      'MSISDN',
      'mobile_number',
      'Tel.',
      '手机号',
      '电话',
      'Téléphone',
      'Number',
    ]) {
      assert.deepEqual(findPhoneColumn(['id', name, 'x']), { at: 1 }, name);
    }
  });

  it('takes a certain name before one that only may be it', () => {
    assert.deepEqual(findPhoneColumn(['number', 'msisdn']), { at: 1 });
    assert.ok('problem' in findPhoneColumn(['number', 'to']));
  });
});

describe('localFile', () => {
  it('reads under the allowed folders alone, links followed first', async () => {
    await using allowed = await tempFolder();
    await using elsewhere = await tempFolder();
    await allowed.write('people.csv', 'phone\n+447911123456\n');
    const secret = await elsewhere.write('secret.csv', 'phone\n+447911123457\n');
    await symlink(secret, join(allowed.path, 'link.csv'));
    const folders = [allowed.path];

    assert.equal((await localFile('people.csv', folders)).size, 20);
    assert.equal((await localFile(join(allowed.path, 'people.csv'), folders)).label, 'file people.csv');
    for (const path of [
      secret,
      'link.csv',
      '../x',
      '/etc/passwd',
      join(allowed.path, '..', 'y'),
      '/nowhere/at/all',
    ]) {
      await assert.rejects(localFile(path, folders), /Files there are not imported/, path);
    }
    await assert.rejects(localFile('absent.csv', folders), /no such file/);
    await assert.rejects(localFile(allowed.path, folders), /not imported/);
    await assert.rejects(localFile('people.csv', []), /not imported/);
  });
});
