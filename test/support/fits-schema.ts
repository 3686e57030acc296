import assert from 'node:assert/strict';
import type { TSchema } from 'typebox';
import { Clean } from 'typebox/value';
import { BATCH_ANSWERS } from '../../contracts/batch-answers.ts';
import { CATALOGUE } from '../../contracts/catalogue.ts';
import { check } from '../../contracts/check.ts';

const answers = new Map<string, TSchema>([
  ...CATALOGUE.filter(({ kind }) => kind === 'answers').map(({ name, schema }) => [name, schema] as const),
  ...Object.entries(BATCH_ANSWERS).map(([verb, schema]) => [`batch.${verb}`, schema] as const),
]);

/** An answer of the API is what its schema says, and has no field that the schema does not name. */
export function assertFitsSchema(noun: string, verb: string, answer: unknown): void {
  const name = `${noun}.${verb}`;
  const schema = answers.get(name);
  assert.ok(schema, `the answer of ${name} has no schema`);
  const checked = check(schema, answer);
  assert.ok(checked.ok, `${name}: ${JSON.stringify(checked)}`);
  assert.deepEqual(answer, Clean(schema, structuredClone(answer)), `${name} has fields without a schema`);
}
