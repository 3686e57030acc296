import Type, { type Static } from 'typebox';
import { BatchInput } from './batch.ts';

/** What may stand as `${name}` in any text of a template but its recipients. */
export const PLACEHOLDERS = {
  id: 'ID of the batch that is made',
  origin: 'ID of the schedule, trigger or folder that makes it',
  date: 'day of the due time in the zone of the schedule, as 2026-11-24',
  time: 'the due time in UTC, as 20261124T120000Z',
  file: 'name of the file, without its ending',
} as const;
export type Placeholder = keyof typeof PLACEHOLDERS;

// When it starts and how long it may run are the run's business, not the template's.
const {
  tableStorageName: _table,
  scheduleTime: _time,
  autoTrigger: _auto,
  notAfter: _notAfter,
  ...batchFields
} = BatchInput.properties;

/** A batch definition with placeholders: each run makes a batch of it and starts it. */
export const BatchTemplate = Type.Object(
  {
    ...batchFields,
    tableStorageName: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'Name of a recipient table; placeholders as in people-${date}.',
      }),
    ),
    upload: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_024,
        description:
          'In place of a table: an object in SMS_UPLOADS that each run imports; placeholders as in people-${date}.csv.',
      }),
    ),
    expireAfterSeconds: Type.Optional(
      Type.Integer({
        minimum: 60,
        maximum: 30 * 24 * 3_600,
        description: 'The batch’s notAfter, counted from the due time.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: `A batch definition; \${…} in its texts stands for: ${Object.entries(PLACEHOLDERS)
      .map(([name, meaning]) => `${name} (${meaning})`)
      .join(', ')}.`,
  },
);
export type BatchTemplate = Static<typeof BatchTemplate>;
