import { readFileSync } from 'node:fs';
import { ConfigError, type Env } from './read-config.ts';

/**
 * A variable that holds a JSON list, or the path of a file that does; NAME_FILE may name the file, too.
 * @returns undefined where it is unset
 * @throws ConfigError
 */
export function readJsonList(variable: string, env: Env, of: string): unknown[] | undefined {
  const text = textOf(variable, env);
  if (text === undefined) return undefined;
  const field = `${variable}/`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // Not the text itself: it may hold passwords.
    const expected = `JSON: ${(error as Error).message.slice(0, 80)}`;
    throw new ConfigError([{ field, value: undefined, expected }]);
  }
  if (Array.isArray(value)) return value;
  throw new ConfigError([{ field, value: '(hidden)', expected: `a list of ${of}` }]);
}

function textOf(variable: string, env: Env): string | undefined {
  const value = env[variable]?.trim();
  if (!value) return fileText(env[`${variable}_FILE`]?.trim(), `${variable}_FILE`);
  return value.startsWith('[') || value.startsWith('{') ? value : fileText(value, variable);
}

function fileText(path: string | undefined, variable: string): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const expected = `a JSON list, or a file that can be read (${(error as NodeJS.ErrnoException).code})`;
    throw new ConfigError([{ field: variable, value: path, expected }]);
  }
}
