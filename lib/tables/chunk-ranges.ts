import type { Store } from '../store/collections.ts';
import { sourceChunkPrefix } from '../store/table-documents.ts';

/** All ids that begin with a prefix and a dot: `/` is the character behind `.`, so no other prefix is met. */
export const idsUnder = (prefix: string): { $gte: string; $lt: string } => ({
  $gte: `${prefix}.`,
  $lt: `${prefix}/`,
});

/** Removes the chunks of an import that is not in the table. @returns how many */
export async function discardChunks(
  { sourceChunks }: Pick<Store, 'sourceChunks'>,
  table: string,
  generation: number,
  importId: string,
): Promise<number> {
  const prefix = sourceChunkPrefix(table, generation, importId);
  const { deletedCount } = await sourceChunks.deleteMany({ _id: idsUnder(prefix) });
  return deletedCount;
}
