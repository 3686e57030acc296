import Type, { type Static } from 'typebox';
import { InlineRecipient } from './batch.ts';
import { commandMeta } from './commands.ts';
import { TableName } from './ids.ts';

/** Largest row, in octets of UTF-8; a longer line is reported and left out. */
export const MAX_ROW_BYTES = 4_096;
/** A record longer than this fails the file: beyond it nothing tells rows apart (most often a quote never closed). */
export const MAX_RECORD_CHARACTERS = 64 * 1024;
export const MAX_TABLE_COLUMNS = 256;
export const MAX_APPENDED_ROWS = 1_000;
/** Findings that a report keeps; `findingsTotal` counts all of them. */
export const MAX_ROW_FINDINGS = 1_000;

const count = Type.Integer({ minimum: 0 });
const { requestId, operatorId } = commandMeta;
const asked = { requestId, operatorId };

const DefaultCountry = Type.String({
  pattern: '^[A-Z]{2}$',
  description: 'ISO 3166 country of numbers without a country code.',
});

/** What is wrong with one line, or with one cell of it. */
export const RowFinding = Type.Object(
  {
    line: Type.Integer({ description: 'Line of the file (1 = first), or number of the row or document.' }),
    column: Type.String({ description: 'Column, or empty where the line as a whole is meant.' }),
    value: Type.String({ description: 'What stood there, shortened.' }),
    code: Type.String(),
    expected: Type.String({ description: 'What is accepted, or why this is not, in words.' }),
  },
  { additionalProperties: false },
);
export type RowFinding = Static<typeof RowFinding>;

export const ImportReport = Type.Object(
  {
    table: TableName,
    importId: Type.String(),
    rows: Type.Integer({ minimum: 0, description: 'Rows that this import put into the table.' }),
    badLines: Type.Integer({ minimum: 0, description: 'Lines that are no rows: not in the table.' }),
    invalidNumbers: Type.Integer({
      minimum: 0,
      description: 'Rows in the table whose number is not valid: outcome `invalid` of a batch.',
    }),
    duplicateOf: Type.Optional(
      Type.String({ description: 'The same content was imported before, as this: nothing was added.' }),
    ),
    columns: Type.Array(Type.String(), { description: 'Variables of the table, the phone number aside.' }),
    findings: Type.Array(RowFinding, { maxItems: MAX_ROW_FINDINGS }),
    findingsTotal: count,
  },
  { additionalProperties: false },
);
export type ImportReport = Static<typeof ImportReport>;

const FileSource = Type.Object(
  {
    kind: Type.Literal('file'),
    path: Type.String({
      minLength: 1,
      maxLength: 1_024,
      description: 'A file on the service’s host, under one of its TABLE_IMPORT_DIRS.',
    }),
  },
  { additionalProperties: false },
);
const ObjectSource = Type.Object(
  {
    kind: Type.Literal('object'),
    name: Type.String({
      minLength: 1,
      maxLength: 1_024,
      description: 'In the object store SMS_UPLOADS: `nats object put SMS_UPLOADS people.csv`.',
    }),
  },
  { additionalProperties: false },
);
const CollectionSource = Type.Object(
  {
    kind: Type.Literal('collection'),
    collection: Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'A MongoDB collection that others fill, in the service’s database.',
    }),
    phoneField: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    fields: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1, maxLength: 64 }),
        Type.String({ minLength: 1, maxLength: 256 }),
        {
          description: 'Variable → path in the document (`address.city`). Without it: every top-level value.',
        },
      ),
    ),
  },
  { additionalProperties: false },
);

/** A schema a kind: a request is told what its own kind lacks, not what all of them would. */
export const TABLE_SOURCES = {
  file: FileSource,
  object: ObjectSource,
  collection: CollectionSource,
} as const;
export type TableSourceKind = keyof typeof TABLE_SOURCES;
export type TableSource = { [K in TableSourceKind]: Static<(typeof TABLE_SOURCES)[K]> }[TableSourceKind];

const AnySource = Type.Object(
  { kind: Type.Enum(Object.keys(TABLE_SOURCES) as TableSourceKind[]) },
  {
    additionalProperties: true,
    description: 'By kind: file {path}; object {name}; collection {collection, phoneField?, fields?}.',
  },
);

export const FILE_FORMATS = ['csv', 'ndjson'] as const;
export const DELIMITERS = [',', ';', '\t', '|'] as const;

/** How a file is to be read; what is left out is found out. */
export const readingFields = {
  format: Type.Optional(
    Type.Enum([...FILE_FORMATS], {
      description: 'Default: by name (.ndjson, .jsonl: ndjson), else csv. Gzip is detected.',
    }),
  ),
  phoneColumn: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'Default: recognised by name (phone, msisdn, 手机号, …).',
    }),
  ),
  delimiter: Type.Optional(Type.Enum([...DELIMITERS])),
  header: Type.Optional(
    Type.Boolean({ description: 'false: there is no header line; columns are column1, column2, ….' }),
  ),
  defaultCountry: Type.Optional(DefaultCountry),
};

export const TableImportRequest = Type.Object(
  {
    table: TableName,
    source: AnySource,
    ...readingFields,
    wait: Type.Optional(
      Type.Boolean({
        description: 'true: answered with the report at the end; else at once with the import’s ID.',
      }),
    ),
    ...asked,
  },
  { additionalProperties: false },
);
export type TableImportRequest = Static<typeof TableImportRequest>;

export const TableAppendRequest = Type.Object(
  {
    table: TableName,
    rows: Type.Array(InlineRecipient, { minItems: 1, maxItems: MAX_APPENDED_ROWS }),
    defaultCountry: Type.Optional(DefaultCountry),
    ...asked,
  },
  { additionalProperties: false },
);
export type TableAppendRequest = Static<typeof TableAppendRequest>;

export const IMPORT_STATES = ['running', 'done', 'failed', 'lost'] as const;

/** One import and how far it is. `lost`: its process is gone; the table is as it was before. */
export const ImportView = Type.Object(
  {
    importId: Type.String(),
    table: TableName,
    source: Type.String(),
    state: Type.Enum([...IMPORT_STATES]),
    rows: Type.Integer({ minimum: 0, description: 'Rows read so far.' }),
    startedAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
    report: Type.Optional(ImportReport),
    error: Type.Optional(Type.Unknown({ description: 'The error body, where it failed.' })),
  },
  { additionalProperties: false },
);
export type ImportView = Static<typeof ImportView>;

/** Answer to an import that is not waited for; `table.get` shows its progress. */
export const ImportStarted = Type.Object(
  { table: TableName, importId: Type.String(), state: Type.Literal('running') },
  { additionalProperties: false },
);
export type ImportStarted = Static<typeof ImportStarted>;

export const TableView = Type.Object(
  {
    table: TableName,
    version: Type.Integer({ minimum: 1 }),
    rows: count,
    chunks: count,
    columns: Type.Array(Type.String()),
    buckets: Type.Integer({ minimum: 1 }),
    invalidNumbers: count,
    importsTotal: count,
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  { additionalProperties: false },
);
export type TableView = Static<typeof TableView>;

export const TableGetRequest = Type.Object(
  {
    table: TableName,
    importId: Type.Optional(Type.String({ maxLength: 64, description: 'Only this import.' })),
    ...asked,
  },
  { additionalProperties: false },
);
export type TableGetRequest = Static<typeof TableGetRequest>;

export const TableGetAnswer = Type.Object(
  {
    table: Type.Union([TableView, Type.Null()], { description: 'null while its first import runs.' }),
    imports: Type.Array(ImportView, { description: 'The latest, newest first.' }),
  },
  { additionalProperties: false },
);
export type TableGetAnswer = Static<typeof TableGetAnswer>;

export const TableListRequest = Type.Object(
  {
    prefix: Type.Optional(Type.String({ maxLength: 64 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 128, description: '`nextCursor` of the page before.' })),
    ...asked,
  },
  { additionalProperties: false },
);
export type TableListRequest = Static<typeof TableListRequest>;

export const TableListAnswer = Type.Object(
  { tables: Type.Array(TableView), nextCursor: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
export type TableListAnswer = Static<typeof TableListAnswer>;

export const TableDeleteRequest = Type.Object(
  {
    table: TableName,
    expectedVersion: commandMeta.expectedVersion,
    ...asked,
  },
  { additionalProperties: false },
);
export type TableDeleteRequest = Static<typeof TableDeleteRequest>;

export const TableDeleted = Type.Object(
  { table: TableName, rows: count },
  { additionalProperties: false, description: 'Batches that have frozen the table keep what they froze.' },
);
export type TableDeleted = Static<typeof TableDeleted>;
