import { noOutcomes, OUTCOME_LETTERS } from '../../../contracts/outcomes.ts';
import type { MessageChunk, OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import { joinColumn, splitColumn } from '../../../lib/store/columns.ts';
import { initialColumns } from '../../../lib/store/outcome-columns.ts';
import type { SourceChunk } from '../../../lib/store/table-documents.ts';
import type { MessageMaker } from './message-maker.ts';

/** Where a chunk stands in its batch. */
export interface ChunkPlace {
  id: string;
  batchId: string;
  index: number;
  /** Number of the delivery task that will send it. */
  task: number;
}

export interface PreparedChunk {
  outcome: OutcomeDocument;
  message: MessageChunk;
}

const INVALID_NUMBER = 0x21;
const { pending: PENDING, duplicate: DUPLICATE, invalid: INVALID } = OUTCOME_LETTERS;

/** Base-36 digit of a number of segments. */
const DIGITS = Array.from({ length: 36 }, (_, n) => n.toString(36));

/**
 * The two documents of one source chunk: what is to be sent, and what every recipient's outcome is so far.
 * @param seen numbers of the bucket in the chunks before this one; grows by this chunk's
 */
export function prepareChunk(
  source: Pick<SourceChunk, 'size' | 'phones' | 'columns'>,
  place: ChunkPlace,
  maker: MessageMaker,
  seen: Set<string>,
  nowMs: number,
): PreparedChunk {
  const { size } = source;
  const phones = splitColumn(source.phones, size);
  const columns = maker.columns.map((name) => splitColumn(source.columns[name] ?? '', size));
  const values = new Array<string>(columns.length);
  const { same } = maker;
  const texts = new Array<string>(same ? 0 : size);
  const codes = new Array<string>(size);
  let hasCodes = false;
  let statuses = '';
  let encodings = '';
  let segments = '';
  const counts = noOutcomes();

  for (let i = 0; i < size; i++) {
    const phone = phones[i]!;
    let status: string = PENDING;
    let code = '';
    let letter = '-';
    let parts = 0;
    let text = '';
    if (phone.charCodeAt(0) === INVALID_NUMBER) {
      status = INVALID;
      code = phone.slice(1, phone.indexOf(' '));
    } else if (isRepeated(seen, phone)) {
      status = DUPLICATE;
    } else {
      for (let c = 0; c < columns.length; c++) values[c] = columns[c]![i]!;
      const made = same ?? maker.make(values);
      ({ code, letter, text } = made);
      parts = made.segments;
      if (letter === '-') status = INVALID;
    }
    if (status === PENDING) counts.pending++;
    else if (status === DUPLICATE) counts.duplicate++;
    else counts.invalid++;
    statuses += status;
    encodings += letter;
    segments += DIGITS[parts];
    codes[i] = code;
    if (code !== '') hasCodes = true;
    if (!same) texts[i] = text;
  }

  const { id, batchId, index, task } = place;
  return {
    outcome: {
      _id: id,
      batchId,
      index,
      task,
      size,
      ownerSeq: 0,
      ...initialColumns(statuses, hasCodes ? codes : []),
      counts,
      segments: 0,
      resent: 0,
      updatedAtMs: nowMs,
    },
    message: {
      _id: id,
      batchId,
      index,
      size,
      phones: source.phones,
      texts: same ? joinColumn([same.text]) : joinColumn(texts),
      sameText: same !== undefined,
      encodings,
      segments,
    },
  };
}

/** The first in frozen order is the one that counts. */
function isRepeated(seen: Set<string>, phone: string): boolean {
  const before = seen.size;
  seen.add(phone);
  return seen.size === before;
}
