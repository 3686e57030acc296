import Type, { type Static } from 'typebox';
import { COMMANDS } from '../../../contracts/commands.ts';
import { TableName } from '../../../contracts/ids.ts';
import { apiSubject, commandSubject, STREAMS } from '../../../contracts/subjects.ts';
import { request } from '../../../lib/nats/request.ts';
import { IMPORT_TASK } from '../pure/start-run.ts';
import type { TaskType } from './task-type.ts';

const Config = Type.Object(
  {
    table: TableName,
    upload: Type.String(),
    defaultCountry: Type.Optional(Type.String()),
    create: COMMANDS.create,
  },
  { additionalProperties: false },
);

/** Of a template with an upload: imports it into a table of the run's own, then creates the batch over it. */
export const importAndStart: TaskType = {
  type: IMPORT_TASK,
  description: 'Imports the upload of a template and creates its batch; used by schedules themselves.',
  configSchema: Config,
  async run({ nc, run, publisher, signal }) {
    const { table, upload, defaultCountry, create } = run.config as Static<typeof Config>;
    const source = { kind: 'object', name: upload };
    const report = await request<{ rows: number }>(
      nc,
      apiSubject('table', 'import'),
      { table, source, wait: true, ...(defaultCountry !== undefined && { defaultCountry }) },
      { deadlineMs: run.timeoutMs, waitForService: true, signal },
    );
    await publisher.publish({
      subject: commandSubject(table, 'create'),
      stream: STREAMS.commands,
      msgId: `create:${table}`,
      body: create,
    });
    return { rows: report.rows };
  },
};
