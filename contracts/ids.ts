import Type from 'typebox';

/** A batch ID is one subject token (design: "Streams and subjects"). */
export const BATCH_ID_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
const batchIdExpression = new RegExp(BATCH_ID_PATTERN);

export const BatchId = Type.String({
  pattern: BATCH_ID_PATTERN,
  description: 'One subject token: 1 to 64 of A-Z, a-z, 0-9, _ and -.',
});

export const TABLE_NAME_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
export const TableName = Type.String({
  pattern: TABLE_NAME_PATTERN,
  description: 'Name of a recipient table: 1 to 64 of A-Z, a-z, 0-9, _ and -.',
});

/** A step type is a subject token too: lower case, as in `sms.step.<type>.…`. */
export const STEP_TYPE_PATTERN = '^[a-z][a-z0-9-]{0,31}$';
export const StepType = Type.String({
  pattern: STEP_TYPE_PATTERN,
  description: 'A step type: a built-in or a registered one, lower case.',
});

export const isBatchId = (value: string): boolean => batchIdExpression.test(value);

/**
 * Identifies one life of a batch ID, so that leftovers of a deleted batch never meet its successor.
 * It is the time of the `create` message in JetStream (ms, base 36), hence the same at each redelivery.
 */
export const incarnationOf = (createdAtMs: number): string => createdAtMs.toString(36);

/** `<batchId>.<incarnation>`: the prefix of every id that belongs to one life of a batch. */
export const lifeId = (batchId: string, incarnation: string): string => `${batchId}.${incarnation}`;

/** Id of message chunk, outcome document and receipt document `index` (0-based) of a batch. */
export const chunkId = (batchId: string, incarnation: string, index: number): string =>
  `${batchId}.${incarnation}.${index}`;

export interface ChunkAddress {
  batchId: string;
  incarnation: string;
  index: number;
}

export function parseChunkId(id: string): ChunkAddress | undefined {
  const [batchId, incarnation, index, ...rest] = id.split('.');
  if (!batchId || !incarnation || !index || rest.length > 0) return undefined;
  return { batchId, incarnation, index: Number(index) };
}

/** Id of a task document: task `n` (0-based) of step `step` in one life of a batch. The epoch is a field of it. */
export const taskId = (batchId: string, incarnation: string, step: string, n: number): string =>
  `${batchId}.${incarnation}.${step}.${n}`;
