import { CATALOGUE, type CatalogueEntry } from '../../contracts/catalogue.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** contracts/schemas/<kind>/<name>.json, by path. */
export const schemaFiles = (): [path: string, text: string][] =>
  CATALOGUE.map((entry) => [`contracts/schemas/${entry.kind}/${entry.name}.json`, schemaText(entry)]);

function schemaText({ kind, name, subject, description, schema }: CatalogueEntry): string {
  const { description: _own, ...rest } = schema as Record<string, unknown>;
  const whole = {
    $schema: DIALECT,
    $id: `urn:smsbatch:schema:${kind}:${name}`,
    title: `${kind}/${name}`,
    description,
    ...(subject !== undefined && { $comment: `Body on ${subject}` }),
    ...rest,
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
