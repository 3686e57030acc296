import { chunkId, parseChunkId } from '../../../contracts/ids.ts';
import { OUTCOME_OF_LETTER, type OutcomeLetter } from '../../../contracts/outcomes.ts';
import { hash32 } from '../../../lib/hash/hash32.ts';
import { isDuplicateKey } from '../../../lib/mongo/errors.ts';
import type { MessageChunk, OutcomeDocument } from '../../../lib/store/chunk-documents.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { splitColumn } from '../../../lib/store/columns.ts';
import type { PartitionDocument } from '../../../lib/store/partition-document.ts';
import type { ReportDocument } from '../../../lib/store/report-document.ts';
import { chunkRangeOfTask } from '../../../lib/tables/partition-layout.ts';
import { addChunk, noTotals } from './totals.ts';

export const MAX_SAMPLES = 25;
export const MAX_BAD_ROWS = 1_000;
const CHUNKS_A_READ = 16;

type Sample = ReportDocument['samples'][number];
type BadRow = ReportDocument['badRows'][number];
type Findings = Pick<
  ReportDocument,
  'total' | 'segmentHistogram' | 'encodings' | 'samples' | 'badRows' | 'badRowsTotal'
>;

const NAME_OF_ENCODING: Readonly<Record<string, string>> = { g: 'gsm7', u: 'ucs2' };

/** Adds what a prepared task found to the report of its dry run: from what is stored, so the same for every holder. */
export async function reportTask(store: Store, partition: PartitionDocument, n: number): Promise<void> {
  const found = await findingsOfTask(store, partition, n);
  for (;;) {
    const known = await store.reports.findOne({ _id: partition._id });
    if (known?.tasks.includes(n)) return;
    if (await write(store, merged(known ?? emptyReport(partition), found, n), known)) return;
  }
}

async function write(
  { reports }: Pick<Store, 'reports'>,
  report: ReportDocument,
  known: ReportDocument | null,
): Promise<boolean> {
  if (known) {
    const written = await reports.replaceOne({ _id: report._id, version: known.version }, report);
    return written.matchedCount === 1;
  }
  try {
    await reports.insertOne(report);
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
}

const emptyReport = ({ _id, batchId }: PartitionDocument): ReportDocument => ({
  _id,
  batchId,
  version: 0,
  tasks: [],
  ...noFindings(),
  createdAt: Date.now(),
});

const noFindings = (): Findings => ({
  total: 0,
  segmentHistogram: {},
  encodings: {},
  samples: [],
  badRows: [],
  badRowsTotal: 0,
});

export function merged(report: ReportDocument, found: Findings, n: number): ReportDocument {
  return {
    ...report,
    version: report.version + 1,
    tasks: [...report.tasks, n].sort((a, b) => a - b),
    total: report.total + found.total,
    segmentHistogram: summed(report.segmentHistogram, found.segmentHistogram),
    encodings: summed(report.encodings, found.encodings),
    samples: spread([...report.samples, ...found.samples]),
    badRows: first([...report.badRows, ...found.badRows]),
    badRowsTotal: report.badRowsTotal + found.badRowsTotal,
  };
}

function summed(left: Record<string, number>, right: Record<string, number>): Record<string, number> {
  const sum = { ...left };
  for (const [key, n] of Object.entries(right)) sum[key] = (sum[key] ?? 0) + n;
  return sum;
}

/** The smallest hashes: spread evenly over the batch, and the same whatever the order of the tasks. */
const spread = (samples: Sample[]): Sample[] =>
  samples.sort((a, b) => sampleHash(a.phone) - sampleHash(b.phone)).slice(0, MAX_SAMPLES);
const sampleHash = (phone: string): number => hash32(`sample ${phone}`);

const first = (rows: BadRow[]): BadRow[] =>
  rows.sort((a, b) => a.chunk - b.chunk || a.position - b.position).slice(0, MAX_BAD_ROWS);

async function findingsOfTask(store: Store, partition: PartitionDocument, n: number): Promise<Findings> {
  const { from, to } = chunkRangeOfTask(partition, n);
  const { batchId, incarnation } = lifeOf(partition);
  const found = noFindings();
  const totals = noTotals();
  for (let at = from; at < to; at += CHUNKS_A_READ) {
    const length = Math.min(CHUNKS_A_READ, to - at);
    const filter = { _id: { $in: Array.from({ length }, (_, i) => chunkId(batchId, incarnation, at + i)) } };
    const [messages, outcomes] = await Promise.all([
      store.messageChunks.find(filter, { batchSize: length }).toArray(),
      store.outcomes.find(filter, { batchSize: length }).toArray(),
    ]);
    const byId = new Map(outcomes.map((each) => [each._id, each]));
    for (const message of messages) {
      const outcome = byId.get(message._id);
      if (!outcome) continue;
      addChunk(totals, { counts: outcome.counts, encodings: message.encodings, segments: message.segments });
      look(message, outcome, found);
    }
    found.samples = spread(found.samples);
    found.badRows = first(found.badRows);
  }
  const { segmentHistogram, encodings } = totals;
  return { ...found, segmentHistogram, encodings };
}

function lifeOf({ _id }: PartitionDocument): { batchId: string; incarnation: string } {
  return parseChunkId(`${_id}.0`)!;
}

function look(message: MessageChunk, outcome: OutcomeDocument, found: Findings): void {
  const phones = splitColumn(message.phones, message.size);
  const texts = splitColumn(message.texts, message.sameText ? 1 : message.size);
  const codes = splitColumn(outcome.codes, outcome.size);
  found.total += message.size;
  phones.forEach((stored, position) => {
    const letter = outcome.statuses[position] as OutcomeLetter;
    const phone = stored.startsWith('!') ? stored.slice(stored.indexOf(' ') + 1) : stored;
    if (letter === 'i' || letter === 'd') {
      found.badRowsTotal++;
      const { index: chunk } = message;
      found.badRows.push({
        phone,
        outcome: OUTCOME_OF_LETTER[letter],
        code: codes[position]!,
        chunk,
        position,
      });
      return;
    }
    found.samples.push({
      phone,
      text: texts[message.sameText ? 0 : position]!,
      encoding: NAME_OF_ENCODING[message.encodings[position]!] ?? '',
      segments: Number.parseInt(message.segments[position]!, 36),
    });
  });
}
