import { createHash } from 'node:crypto';
import type { InlineRecipient } from '../../../contracts/batch.ts';
import type { RowSource } from '../row-source.ts';
import { recordRows } from './records-to-rows.ts';

/** Rows that came in a message. */
export function givenRows(rows: readonly InlineRecipient[], label = 'append'): RowSource {
  return {
    label,
    reading: 'rows',
    sha256: () => createHash('sha256').update(JSON.stringify(rows)).digest('hex'),
    async *batches() {
      const records = recordRows('phone');
      rows.forEach(({ phone, variables }, i) => {
        records.add({ ...variables, phone }, i + 1);
      });
      yield records.take();
    },
  };
}
