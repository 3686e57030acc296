import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { numberOf, parcel } from './message.ts';

const ROWS_A_WRITE = 10_000;

/** A CSV of `count` valid, different numbers and one variable. `first` keeps two files from being the same content. */
export async function writeRecipients(path: string, count: number, first: number): Promise<void> {
  const out = createWriteStream(path);
  out.write('phone,parcel\n');
  for (let from = 0; from < count; from += ROWS_A_WRITE) {
    let rows = '';
    for (let n = from; n < Math.min(count, from + ROWS_A_WRITE); n++)
      rows += `+${numberOf(first + n)},${parcel(n)}\n`;
    if (!out.write(rows)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}
