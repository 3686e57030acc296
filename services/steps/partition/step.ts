import { lifeId } from '../../../contracts/ids.ts';
import { MAX_ROW_BYTES } from '../../../contracts/tables.ts';
import { isDuplicateKey } from '../../../lib/mongo/errors.ts';
import type { PartitionDocument } from '../../../lib/store/partition-document.ts';
import { type FrozenTable, freeze, frozen } from '../../../lib/tables/freeze.ts';
import { replaceIfOutgrown } from '../../../lib/tables/replace-table.ts';
import { givenRows } from '../../../lib/tables/sources/given-rows.ts';
import { type Step, type StepContext, StepFailure, type StepOutcome } from '../step.ts';
import { watched } from '../watched.ts';
import { childChunks } from './child-chunks.ts';
import { foreignRows } from './foreign-rows.ts';
import { privateTable } from './private-table.ts';
import { recipientsSource } from './recipients-source.ts';

/** Freezes which recipients the batch consists of, and cuts them into tasks. */
export const partitionStep: Step = {
  type: 'partition',
  defaultTimeoutMs: 10 * 60_000,
  concurrency: 2,
  async run(context) {
    const { batch, store } = context;
    const life = lifeId(batch._id, batch.incarnation);
    const known = await store.partitions.findOne({ _id: life });
    if (known) return sizeOf(known);
    const layout = await layoutOf(context, life);
    if ('stopped' in layout) return layout.stopped;
    if (layout.total === 0) throw new StepFailure('no-recipients', 'There is no recipient to send to.');
    const partition = { ...layout, _id: life, batchId: batch._id, createdAt: Date.now() };
    try {
      await store.partitions.insertOne(partition);
      return sizeOf(partition);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      // Somebody was faster: what stands is the batch, whatever we have read.
      return sizeOf((await store.partitions.findOne({ _id: life }))!);
    }
  },
};

const sizeOf = ({ total, chunks, taskStarts }: PartitionDocument): StepOutcome => ({
  kind: 'done',
  result: { total, chunks, tasks: taskStarts.length },
});

async function layoutOf(
  context: StepContext,
  life: string,
): Promise<FrozenTable | PartitionDocument | { stopped: StepOutcome }> {
  const { batch, store } = context;
  const source = await recipientsSource(store, batch);
  switch (source.kind) {
    case 'parent':
      return childChunks(context, source);
    case 'inline': {
      const rows = () => givenRows(source.recipients, 'inline recipients');
      const table = await privateTable(context, life, rows, batch.definition);
      if ('stopped' in table) return table;
      const { badLines } = table.imports[0]!;
      if (badLines === 0) return frozen(table);
      const message = `${badLines} of the inline recipients are no rows: at most ${MAX_ROW_BYTES} octets each.`;
      throw new StepFailure('invalid', message);
    }
    case 'named': {
      if (await store.tables.findOne({ _id: source.name }, { projection: { _id: 1 } })) {
        const { name } = source;
        const placed = await watched(context, (signal) => replaceIfOutgrown(store, name, signal));
        return 'stopped' in placed ? placed : freeze(store, name);
      }
      const rows = () => foreignRows(store, source.name, batch.definition);
      const table = await privateTable(context, life, rows, batch.definition);
      return 'stopped' in table ? table : frozen(table);
    }
  }
}
