import { readFileSync } from 'node:fs';
import Type, { type Static, type TObject, type TSchema } from 'typebox';
import { expectedOf, type Field, parseField } from './field.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface ConfigProblem {
  field: string;
  /** As it was given; "(hidden)" for a secret, undefined for one that is missing. */
  value: string | undefined;
  expected: string;
}

/** Every mistake in the environment at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'bad-config';
  readonly errors: readonly ConfigProblem[];

  constructor(errors: readonly ConfigProblem[]) {
    const lines = errors.map(({ field, value, expected }) =>
      value === undefined
        ? `  ${field} is missing: ${expected}`
        : `  ${field}=${value}: expected ${expected}`,
    );
    super(
      `the configuration has ${errors.length === 1 ? 'a mistake' : `${errors.length} mistakes`}:\n${lines.join('\n')}`,
    );
    this.errors = errors;
  }
}

/**
 * The configuration of a service from its environment. The schema's properties are the variables' names; its defaults,
 * ranges and descriptions are the documentation (describeConfig). An empty variable counts as unset. A variable marked
 * `secret: true` may come from a file named by NAME_FILE.
 * @throws ConfigError with every mistake.
 */
export function readConfig<T extends TObject>(schema: T, env: Env): Static<T> {
  const config: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const [variable, field] of Object.entries(schema.properties)) {
    const read = readVariable(variable, field, env);
    if ('problem' in read) problems.push(read.problem);
    else if (read.value !== undefined) config[variable] = read.value;
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config as Static<T>;
}

type Read = { value: unknown } | { problem: ConfigProblem };

function readVariable(variable: string, schema: TSchema, env: Env): Read {
  const field = schema as Field;
  const text = field.secret ? readSecret(variable, env) : { text: set(env[variable]) };
  if ('problem' in text) return text;
  if (text.text === undefined) {
    if (field.default !== undefined || Type.IsOptional(schema)) return { value: field.default };
    return { problem: { field: variable, value: undefined, expected: expectedOf(variable, schema) } };
  }
  const value = parseField(schema, text.text);
  if (value !== undefined) return { value };
  const shown = field.secret ? '(hidden)' : text.text;
  return { problem: { field: variable, value: shown, expected: expectedOf(variable, schema) } };
}

function readSecret(variable: string, env: Env): { text: string | undefined } | { problem: ConfigProblem } {
  const direct = set(env[variable]);
  const fileVariable = `${variable}_FILE`;
  const file = set(env[fileVariable]);
  if (file === undefined) return { text: direct };
  const problem = (expected: string) => ({ problem: { field: fileVariable, value: file, expected } });
  if (direct !== undefined) return problem(`only one of ${variable} and ${fileVariable}`);
  try {
    // Editors and `echo` end a file with a line break, which is no part of a password.
    return { text: set(readFileSync(file, 'utf8').replace(/\r?\n$/, '')) };
  } catch (error) {
    return problem(`a file that can be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function set(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}
