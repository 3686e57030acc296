import type { TSchema } from 'typebox';
import { Check } from 'typebox/value';

/** What a variable's schema may say; everything else about it is in its name and description. */
export interface Field {
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'array';
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  pattern?: string;
  /** What the pattern stands for, in people's words. */
  expected?: string;
  enum?: readonly unknown[];
  anyOf?: readonly { const?: unknown }[];
  const?: unknown;
  /** Never shown; may also be given as a file, NAME_FILE. */
  secret?: boolean;
}

/** Reads one variable's text. undefined: it does not fit, and expectedOf says what would. */
export function parseField(schema: TSchema, text: string): unknown {
  const value = convert(schema as Field, text.trim());
  return value !== undefined && Check(schema, value) ? value : undefined;
}

function convert(field: Field, text: string): unknown {
  switch (field.type) {
    case 'integer':
      return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
    case 'number':
      return /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : undefined;
    case 'boolean':
      return { true: true, '1': true, false: false, '0': false }[text.toLowerCase()];
    case 'array':
      return text.split(',').flatMap((each) => each.trim() || []);
    default:
      return text;
  }
}

const units: readonly [suffix: string, unit: string][] = [
  ['_MS', 'milliseconds'],
  ['_SECONDS', 'seconds'],
  ['_HOURS', 'hours'],
  ['_DAYS', 'days'],
  ['_BYTES', 'bytes'],
];

/** What is accepted, in words: "a whole number of milliseconds, 100 to 600000". */
export function expectedOf(variable: string, schema: TSchema): string {
  const field = schema as Field;
  if (field.expected) return field.expected;
  const choices = field.enum ?? field.anyOf?.map((each) => each.const);
  if (choices) return `one of ${choices.join(', ')}`;
  if (field.type === 'boolean') return 'true, false, 1 or 0';
  if (field.type === 'array') return 'a list separated by commas';
  if (field.type === 'integer' || field.type === 'number') return expectedNumber(variable, field);
  return field.pattern ? `text like ${field.pattern}` : 'text';
}

function expectedNumber(variable: string, field: Field): string {
  const unit = units.find(([suffix]) => variable.endsWith(suffix))?.[1];
  const kind = `a ${field.type === 'integer' ? 'whole ' : ''}number${unit ? ` of ${unit}` : ''}`;
  if (field.minimum !== undefined && field.maximum !== undefined) {
    return `${kind}, ${field.minimum} to ${field.maximum}`;
  }
  if (field.minimum !== undefined) return `${kind}, ${field.minimum} or more`;
  if (field.maximum !== undefined) return `${kind}, ${field.maximum} or less`;
  return kind;
}
