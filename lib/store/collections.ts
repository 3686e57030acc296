import type { Collection, Db } from 'mongodb';
import type { BatchDocument } from './batch-document.ts';
import type { MessageChunk, OutcomeDocument, ReceiptDocument } from './chunk-documents.ts';
import type { ImportDocument, OrphanedChunksDocument } from './import-document.ts';
import type { NumberPlaces } from './number-places.ts';
import type { InlineRecipientsDocument, PartitionDocument } from './partition-document.ts';
import type { ReportDocument } from './report-document.ts';
import type { RuleDocument } from './rule-document.ts';
import type { SourceChunk, TableDocument } from './table-documents.ts';
import type { TaskDocument } from './task-document.ts';

/** Every collection of the system of record, by the name it has in MongoDB. */
export interface Store {
  db: Db;
  batches: Collection<BatchDocument>;
  tasks: Collection<TaskDocument>;
  partitions: Collection<PartitionDocument>;
  inlineRecipients: Collection<InlineRecipientsDocument>;
  messageChunks: Collection<MessageChunk>;
  numberPlaces: Collection<NumberPlaces>;
  outcomes: Collection<OutcomeDocument>;
  receipts: Collection<ReceiptDocument>;
  tables: Collection<TableDocument>;
  sourceChunks: Collection<SourceChunk>;
  imports: Collection<ImportDocument>;
  orphanedChunks: Collection<OrphanedChunksDocument>;
  reports: Collection<ReportDocument>;
  rules: Collection<RuleDocument>;
}

export const storeOf = (db: Db): Store => ({
  db,
  batches: db.collection('batches'),
  tasks: db.collection('tasks'),
  partitions: db.collection('partitions'),
  inlineRecipients: db.collection('inline_recipients'),
  messageChunks: db.collection('message_chunks'),
  numberPlaces: db.collection('number_places'),
  outcomes: db.collection('outcomes'),
  receipts: db.collection('receipts'),
  tables: db.collection('tables'),
  sourceChunks: db.collection('source_chunks'),
  imports: db.collection('imports'),
  orphanedChunks: db.collection('orphaned_chunks'),
  reports: db.collection('reports'),
  rules: db.collection('rules'),
});
