import Type, { type TObject, type TSchema } from 'typebox';
import { expectedOf, type Field } from './field.ts';

/** The schema as a markdown table. The docs are made of it, so that they cannot fall behind the code. */
export function describeConfig(schema: TObject): string {
  const rows = Object.entries(schema.properties).map(([variable, field]) => row(variable, field));
  return ['| variable | accepts | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function row(variable: string, schema: TSchema): string {
  const field = schema as Field;
  const name = field.secret ? `\`${variable}\` or \`${variable}_FILE\`` : `\`${variable}\``;
  const cells = [name, expectedOf(variable, schema), defaultOf(schema), field.description ?? ''];
  // A bar in a pattern or a text would open another column.
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultOf(schema: TSchema): string {
  const { default: value } = schema as Field;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${value.join(',')}\``;
  if (value !== undefined) return `\`${String(value)}\``;
  return Type.IsOptional(schema) ? 'none' : '**required**';
}
