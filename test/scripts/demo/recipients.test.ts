import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { normaliseMsisdn } from '../../../lib/phone/normalise.ts';
import { BAD_PHONES, COUNTRIES } from '../../../scripts/demo/people.ts';
import {
  generateCsv,
  RECIPIENT_COLUMNS,
  type RecipientOptions,
  writeCsv,
} from '../../../scripts/demo/recipients.ts';

async function fileOf(options: RecipientOptions) {
  const { chunks, counts } = generateCsv(options);
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return { bytes: Buffer.concat(parts), counts };
}

test('an import finds exactly the promised counts', async () => {
  const { bytes, counts } = await fileOf({ count: 50_000, seed: 7 });
  const rows: Record<string, string>[] = parse(bytes, { columns: true });
  assert.deepEqual(Object.keys(rows[0]!), [...RECIPIENT_COLUMNS]);
  const seen = new Set<string>();
  const found = { total: rows.length, validUnique: 0, duplicates: 0, invalid: 0 };
  for (const row of rows) {
    const verdict = normaliseMsisdn(row.phone!);
    if (!verdict.ok) found.invalid++;
    else if (seen.has(verdict.msisdn)) found.duplicates++;
    else {
      seen.add(verdict.msisdn);
      found.validUnique++;
    }
  }
  assert.deepEqual(counts, found);
  assert.ok(counts.invalid > 400 && counts.invalid < 600, `${counts.invalid} invalid`);
  assert.ok(counts.duplicates > 400 && counts.duplicates < 600, `${counts.duplicates} duplicates`);
  assert.ok(rows.some(({ note }) => note!.length > 160));
});

test('the same seed gives the same file, another seed another one', async () => {
  const one = await fileOf({ count: 1000, seed: 1 });
  assert.ok(one.bytes.equals((await fileOf({ count: 1000, seed: 1 })).bytes));
  assert.ok(!one.bytes.equals((await fileOf({ count: 1000, seed: 2 })).bytes));
});

test('the file on disk is the stream', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'recipients-'));
  t.after(() => rm(folder, { recursive: true }));
  const options = { count: 5000, seed: 3 };
  const counts = await writeCsv(join(folder, 'people.csv'), options);
  const streamed = await fileOf(options);
  assert.deepEqual(counts, streamed.counts);
  assert.ok(streamed.bytes.equals(await readFile(join(folder, 'people.csv'))));
});

test('no rows: a header; too many: refused', async () => {
  assert.equal((await fileOf({ count: 0, seed: 1 })).bytes.toString(), 'phone,name,city,orderId,note\n');
  await assert.rejects(fileOf({ count: 10_000_001, seed: 1 }), /count: 10000001; expected an integer from 0/);
});

test('ten million different numbers fit into the countries', () => {
  assert.equal(
    COUNTRIES.reduce((sum, { percent }) => sum + percent, 0),
    100,
  );
  for (const { prefix, percent, tailDigits } of COUNTRIES)
    assert.ok(percent * 100_000 <= 10 ** tailDigits, prefix);
});

test('the bad ones are bad whatever the default country', () => {
  for (const phone of BAD_PHONES) {
    for (const country of [undefined, ...['CN', 'GB', 'DE', 'US', 'IN', 'BR', 'MX']]) {
      assert.ok(!normaliseMsisdn(phone.replaceAll('"', ''), country).ok, `${phone} ${country}`);
    }
  }
});
