import type { InlineRecipient } from '../../../contracts/batch.ts';
import type { RecipientFilter } from '../../../contracts/commands.ts';
import { lifeId } from '../../../contracts/ids.ts';
import { takenFrom } from '../../../lib/batch/taken-from.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { StepFailure } from '../step.ts';

/** Where the recipients of a batch come from. */
export type RecipientsSource =
  | { kind: 'named'; name: string }
  | { kind: 'inline'; recipients: InlineRecipient[] }
  | { kind: 'parent'; parent: BatchDocument; filter: RecipientFilter };

/** A filter takes them from a parent; a dry run without any of its own has those of the batch that it tries out. */
export async function recipientsSource(store: Store, batch: BatchDocument): Promise<RecipientsSource> {
  const { parent: ref, definition } = batch;
  const from = await takenFrom(store, batch);
  if (from) return { kind: 'parent', parent: await parentOf(store, from), filter: from.filter };
  if (definition.tableStorageName !== undefined) return { kind: 'named', name: definition.tableStorageName };
  const inline = await store.inlineRecipients.findOne({ _id: lifeId(batch._id, batch.incarnation) });
  if (inline) return { kind: 'inline', recipients: inline.recipients };
  if (ref) return recipientsSource(store, await parentOf(store, ref));
  throw new StepFailure('no-recipients', 'The batch names no table and has no recipients.');
}

async function parentOf(
  { batches }: Pick<Store, 'batches'>,
  { batchId, incarnation }: { batchId: string; incarnation: string },
): Promise<BatchDocument> {
  const parent = await batches.findOne({ _id: batchId, incarnation });
  if (parent && parent.deletedAt === undefined) return parent;
  throw new StepFailure('parent-gone', `Batch ${batchId}, whose recipients this one takes, was deleted.`);
}
