import split2 from 'split2';
import { MAX_RECORD_CHARACTERS } from '../../../contracts/tables.ts';
import { shortened } from '../row-findings.ts';
import type { RowBatch, RowSource } from '../row-source.ts';
import { recordRows } from './records-to-rows.ts';
import { refuseSource } from './refuse-source.ts';
import { type Octets, textOctets } from './text-octets.ts';

/** Rows of a file with one JSON object a line; its keys are the columns. */
export function ndjsonSource(
  octets: Octets,
  { phoneColumn }: { phoneColumn?: string | undefined } = {},
): RowSource {
  const text = textOctets(octets);
  return {
    label: octets.label,
    reading: JSON.stringify(['ndjson', phoneColumn ?? '']),
    sha256: text.sha256,
    fraction: text.fraction,
    batches: (signal) => batches(text.chunks(signal), phoneColumn),
  };
}

async function* batches(
  chunks: AsyncIterable<Buffer>,
  phoneColumn: string | undefined,
): AsyncGenerator<RowBatch> {
  const rows = recordRows(phoneColumn);
  let line = 0;
  let failed: unknown;
  // The mapper takes each line at the moment it is found and hands nothing on: no event, no object a line.
  const lines = split2(
    (found) => {
      line++;
      if (found.length > MAX_RECORD_CHARACTERS) throw tooLong(line);
      const text = line === 1 ? found.replace(/^\ufeff/, '') : found;
      if (text.trim() === '') return undefined;
      let record: unknown;
      try {
        record = JSON.parse(text);
      } catch (error) {
        const expected = `one JSON object a line: ${(error as Error).message}`;
        rows.bad({ line, lines: 1, column: '', value: shortened(text), code: 'NOT_JSON', expected });
        return undefined;
      }
      rows.add(record, line);
      return undefined;
    },
    { maxLength: MAX_RECORD_CHARACTERS },
  );
  lines.on('error', (error) => {
    failed ??= error.message === 'maximum buffer reached' ? tooLong(line + 1) : error;
  });
  for await (const chunk of chunks) {
    // The write's own callback says when the chunk is through: an error comes with it.
    await new Promise<void>((resolve) => lines.write(chunk, () => resolve()));
    if (failed) throw failed;
    if (rows.size > 0) yield rows.take();
  }
  await new Promise<void>((resolve) => lines.end(resolve));
  if (failed) throw failed;
  yield rows.take();
}

const tooLong = (line: number) =>
  refuseSource(
    `Line ${line} is longer than ${MAX_RECORD_CHARACTERS} characters.`,
    `line ${line}`,
    'one JSON object a line',
  );
