import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { UPLOADS_STORE } from '../../contracts/subjects.ts';
import { callApi } from './api.ts';

/** Uploads a file of these numbers and imports it as a table of that name. @returns the report of the import */
export async function importNumbers(
  nc: NatsConnection,
  table: string,
  numbers: readonly string[],
  withinMs = 120_000,
): Promise<Record<string, unknown>> {
  const uploads = await new Objm(nc).open(UPLOADS_STORE);
  const name = `${table}.csv`;
  await uploads.putBlob({ name }, Buffer.from(`phone\n${numbers.join('\n')}\n`));
  return callApi(nc, 'table', 'import', { table, source: { kind: 'object', name }, wait: true }, withinMs);
}
