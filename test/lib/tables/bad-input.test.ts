import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { RefusedError } from '../../../contracts/errors.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { type CsvOptions, csvSource } from '../../../lib/tables/sources/csv-source.ts';
import { ndjsonSource } from '../../../lib/tables/sources/ndjson-source.ts';
import { octets, rowsOf, testStore } from './support.ts';

let store: Store & AsyncDisposable;
before(async () => {
  store = await testStore();
  await placeRows(store, { table: 't', source: csvSource(octets('phone,name\n+447911123456,before\n')) });
});
after(() => store[Symbol.asyncDispose]());

const row = (n: number) => `+4479111${String(n).padStart(5, '0')},Name ${n}\n`;
const rows = (count: number) => Array.from({ length: count }, (_, n) => row(n)).join('');

interface Refusal {
  what: string;
  content: string | Buffer;
  options?: CsvOptions;
  ndjson?: true;
  message: RegExp;
  expected: RegExp;
}

const REFUSALS: Refusal[] = [
  { what: 'an empty file', content: '', message: /empty/, expected: /at least one row/ },
  { what: 'an empty gzip file', content: gzipSync(''), message: /empty/, expected: /at least one row/ },
  { what: 'only a header', content: 'phone,name\n', message: /no rows/, expected: /at least one row/ },
  { what: 'only empty lines', content: '\n\r\n\n', message: /no rows/, expected: /at least one row/ },
  {
    what: 'no phone column',
    content: `id,name\n1,A\n`,
    message: /no phone column/,
    expected: /phoneColumn.*"id", "name"/,
  },
  {
    what: 'no header',
    content: rows(3),
    message: /looks like a row: say header: false/,
    expected: /phone/,
  },
  {
    what: 'JSON taken for CSV',
    content: '{"phone":"+447911123456"}\n',
    message: /looks like JSON/,
    expected: /format: ndjson/,
  },
  {
    what: 'two columns that may be it',
    content: 'phone,mobile\n1,2\n',
    message: /"phone" and "mobile"/,
    expected: /phoneColumn/,
  },
  {
    what: 'a phoneColumn that is not there',
    content: 'phone,name\n1,2\n',
    options: { phoneColumn: 'tel' },
    message: /no column "tel"/,
    expected: /"phone", "name"/,
  },
  {
    what: 'the same column twice',
    content: 'phone,name,name\n1,2,3\n',
    message: /same name/,
    expected: /a name of its own/,
  },
  {
    what: 'Latin-1',
    content: Buffer.concat([
      Buffer.from(`phone,name\n${rows(9_000)}`),
      Buffer.from('+447911123457,Ren\xe9e\n', 'latin1'),
    ]),
    message: /not UTF-8: octet \d+ is 0xE9/,
    expected: /UTF-8/,
  },
  {
    what: 'UTF-8 that is cut off',
    content: Buffer.from('phone,name\n+447911123457,王').subarray(0, -1),
    message: /not UTF-8/,
    expected: /UTF-8/,
  },
  {
    what: 'UTF-16',
    content: Buffer.from('\ufeffphone,name\n+447911123457,A\n', 'utf16le'),
    message: /UTF-16/,
    expected: /CSV UTF-8/,
  },
  { what: 'XLSX', content: Buffer.from('PK\x03\x04 and so on'), message: /spreadsheet/, expected: /CSV/ },
  {
    what: 'a gzip file that is cut off',
    content: gzipSync(`phone,name\n${rows(9_000)}`).subarray(0, 5_000),
    message: /cut off/,
    expected: /whole gzip/,
  },
  {
    what: 'a quote that is never closed, near the end',
    content: `phone,name\n${rows(10)}+447911123457,"A\n${rows(3)}`,
    message: /quote that opens on line 12 is never closed/,
    expected: /quotes/,
  },
  {
    what: 'a quote that is never closed, early on',
    content: `phone,name\n${rows(10)}+447911123457,"A\n${rows(20_000)}`,
    message: /begins on line 12 does not end/,
    expected: /quote is not closed/,
  },
  {
    what: 'a line of 10 MB',
    content: `phone,name\n${row(1)}+447911123457,${'x'.repeat(10_000_000)}\n${row(2)}`,
    message: /begins on line 3 does not end/,
    expected: /shorter records/,
  },
  {
    what: 'an NDJSON line of 10 MB',
    content: `{"phone":"+447911123457"}\n{"phone":"${'1'.repeat(10_000_000)}"}\n`,
    ndjson: true,
    message: /Line 2 is longer/,
    expected: /one JSON object a line/,
  },
  {
    what: 'NDJSON without a phone field',
    content: '{"id":1}\n',
    ndjson: true,
    message: /no phone column/,
    expected: /"id"/,
  },
  {
    what: 'CSV taken for NDJSON',
    content: `phone,name\n${row(1)}`,
    ndjson: true,
    message: /none of its 2 lines/,
    expected: /JSON/,
  },
];

describe('a source that cannot be read is refused with the reason, and the table stays as it was', () => {
  for (const { what, content, options, ndjson, message, expected } of REFUSALS) {
    for (const pieces of [1, 57]) {
      it(`${what}, in ${pieces} pieces`, async () => {
        const file = octets(content, { pieces });
        const source = ndjson ? ndjsonSource(file) : csvSource(file, options);
        await assert.rejects(placeRows(store, { table: 't', source }), (error) => {
          assert.ok(error instanceof RefusedError, String(error));
          assert.match(error.body.message, message);
          assert.match(error.body.errors[0]!.expected, expected);
          return true;
        });
        assert.deepEqual(await rowsOf(store, 't'), [{ phone: '447911123456', name: 'before' }]);
        assert.equal(await store.sourceChunks.countDocuments({}), 1);
      });
    }
  }

  it('a first import that fails makes no table', async () => {
    const source = csvSource(octets('id\n1\n'));
    await assert.rejects(placeRows(store, { table: 'never', source }), RefusedError);
    assert.equal(await store.tables.findOne({ _id: 'never' }), null);
    const status = await store.imports.findOne({ table: 'never' });
    assert.equal(status?.state, 'failed');
    assert.equal(status?.error?.code, 'invalid');
  });
});

describe('lines that are no rows are reported and left out', () => {
  const findings = async (table: string, content: string, options?: CsvOptions) => {
    const source = csvSource(octets(content, { pieces: 7 }), options);
    const report = await placeRows(store, { table, source });
    return { report, told: report.findings.map(({ line, code }) => `${line} ${code}`) };
  };

  it('a wrong number of columns, a row over 4 kB', async () => {
    const content = `phone,name\n${row(1)}+447911100002\n${row(3)}+447911100004,a,b\n+447911100005,${'字'.repeat(1_400)}\n${row(6)}`;
    const { report, told } = await findings('columns', content);
    assert.equal(report.rows, 3);
    assert.equal(report.badLines, 3);
    assert.deepEqual(told, ['3 WRONG_COLUMN_COUNT', '5 WRONG_COLUMN_COUNT', '6 ROW_TOO_LONG']);
  });

  it('a quote in the wrong place, with all lines that it swallowed', async () => {
    const content = `phone,name\n${row(1)}+447911100002,"A"B\n${row(3)}+447911100004,C"D\n${row(5)}`;
    const { report, told } = await findings('quotes', content);
    assert.equal(report.rows, 3);
    assert.equal(report.badLines, 2);
    assert.deepEqual(told, ['3 CSV_INVALID_CLOSING_QUOTE', '5 INVALID_OPENING_QUOTE']);
    const phones = (await rowsOf(store, 'quotes')).map(({ phone }) => phone);
    assert.deepEqual(phones, ['447911100001', '447911100003', '447911100005']);
  });

  it('a quote that is not closed before the next quote: all lines between are counted', async () => {
    const content = `phone,name\n${row(1)}+447911100002,"A\n${row(3)}+447911100004,"D"\n${row(5)}`;
    const { report, told } = await findings('swallowed', content);
    assert.equal(report.rows, 2);
    assert.equal(report.badLines, 3);
    assert.deepEqual(told, ['3 CSV_INVALID_CLOSING_QUOTE']);
    assert.match(report.findings[0]!.expected, /lines 3 to 5/);
  });

  it('the first thousand are kept, all are counted', async () => {
    const content = `phone,name\n${Array.from({ length: 1_500 }, () => 'x,y,z\n').join('')}${row(1)}`;
    const { report } = await findings('many', content);
    assert.equal(report.findings.length, 1_000);
    assert.equal(report.findingsTotal, 1_500);
    assert.equal(report.badLines, 1_500);
  });
});
