import type { ErrorBody } from '../../contracts/errors.ts';
import type { ImportReport } from '../../contracts/tables.ts';

/**
 * One import while it runs, and for some days after. It decides nothing about the table (that is the manifest's), but
 * an import may commit only while this says `running`: so chunks are never taken away under a process that was frozen.
 */
export interface ImportDocument {
  _id: string;
  table: string;
  source: string;
  state: 'running' | 'done' | 'failed' | 'abandoned';
  /** Rows read so far. */
  rows: number;
  startedAt: number;
  /** Moves only with the rows: a stalled import looks as it is. */
  updatedAt: number;
  report?: ImportReport;
  error?: ErrorBody;
  /** MongoDB removes the document then. */
  expiresAt: Date;
}

/** Chunks that neither a manifest nor a partition names; removed when they have been so for a while. */
export interface OrphanedChunksDocument {
  /** `<table>.<generation>.<importId>`: the prefix of the chunks' ids. */
  _id: string;
  since: number;
}
