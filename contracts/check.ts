import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import type { Finding } from './errors.ts';
import { BATCH_ID_PATTERN, STEP_TYPE_PATTERN } from './ids.ts';
import { INSTANT_PATTERN } from './instant.ts';

// TypeBox stops at 8 errors by default; a user is told every finding at once.
Settings.Set({ maxErrors: 1000 });

const compiled = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  let validator = compiled.get(schema);
  if (!validator) {
    validator = Compile(schema);
    compiled.set(schema, validator);
  }
  return validator;
}

export type Checked<T> = { ok: true; value: T } | { ok: false; errors: Finding[] };

const MAX_SHOWN_CHARACTERS = 120;

function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const token of pointer.split('/').slice(1)) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<string, unknown>)[token.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return value;
}

/** Shortens what a finding shows, so that an error is never larger than its cause. */
export function shown(value: unknown): unknown {
  if (typeof value === 'string' && value.length > MAX_SHOWN_CHARACTERS) {
    return `${value.slice(0, MAX_SHOWN_CHARACTERS)}… (${value.length} characters)`;
  }
  if (value !== null && typeof value === 'object') {
    const json = JSON.stringify(value);
    return json.length > MAX_SHOWN_CHARACTERS ? `${json.slice(0, MAX_SHOWN_CHARACTERS)}…` : value;
  }
  return value;
}

const TOKEN_WORDS = '1 to 64 of A-Z, a-z, 0-9, _ and -';
const TIME_WORDS = 'an RFC 3339 time, as 2026-11-24T12:00:00Z';

/** What a pattern stands for, in people's words. */
const PATTERN_WORDS: Readonly<Record<string, string>> = {
  /** A table's name has the same. */
  [BATCH_ID_PATTERN]: TOKEN_WORDS,
  [STEP_TYPE_PATTERN]: 'a step type: a lower-case letter, then up to 31 of a-z, 0-9 and -',
  [INSTANT_PATTERN]: TIME_WORDS,
};

function expectation(error: TLocalizedValidationError): string {
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'type':
      return `a value of type ${String(params.type)}`;
    case 'enum':
      return `one of ${(params.allowedValues as unknown[]).map((v) => JSON.stringify(v)).join(', ')}`;
    case 'const':
      return `${JSON.stringify(params.allowedValue)}`;
    case 'pattern':
      return PATTERN_WORDS[String(params.pattern)] ?? `text that matches ${String(params.pattern)}`;
    case 'format':
      return params.format === 'date-time' ? TIME_WORDS : `a ${String(params.format)}`;
    case 'minLength':
      return `at least ${String(params.limit)} characters`;
    case 'maxLength':
      return `at most ${String(params.limit)} characters`;
    case 'minItems':
      return `at least ${String(params.limit)} entries`;
    case 'maxItems':
      return `at most ${String(params.limit)} entries`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `a number ${String(params.comparison)} ${String(params.limit)}`;
    default:
      return error.message;
  }
}

/**
 * A union tells what each of its branches lacks. Where one fits the value's type, those that do not are beside the point:
 * their only error is the type, while the one that was meant has others there, or below.
 */
function meant(errors: readonly TLocalizedValidationError[]): TLocalizedValidationError[] {
  const entered = new Set<string>();
  for (const { keyword, instancePath } of errors) {
    addParents(entered, instancePath);
    if (keyword !== 'type' && keyword !== 'anyOf') entered.add(instancePath);
  }
  return errors.filter(({ keyword, instancePath }) => keyword !== 'type' || !entered.has(instancePath));
}

function addParents(paths: Set<string>, path: string): void {
  for (let end = path.lastIndexOf('/'); end >= 0; end = path.lastIndexOf('/', end - 1)) {
    const parent = path.slice(0, end);
    if (paths.has(parent)) return;
    paths.add(parent);
    if (end === 0) return;
  }
}

function findingsOf(root: unknown, errors: readonly TLocalizedValidationError[]): Finding[] {
  const findings = new Map<string, Finding>();
  const add = (field: string, value: unknown, expected: string) => {
    const known = findings.get(field);
    if (!known) findings.set(field, { field, value: shown(value), expected });
    else if (!known.expected.split(' or ').includes(expected)) known.expected += ` or ${expected}`;
  };
  for (const error of meant(errors)) {
    const field = error.instancePath.slice(1);
    const params = error.params as Record<string, unknown>;
    if (error.keyword === 'additionalProperties') {
      for (const name of params.additionalProperties as string[]) {
        add(
          field ? `${field}/${name}` : name,
          valueAt(root, `${error.instancePath}/${name}`),
          'no such field',
        );
      }
    } else if (error.keyword === 'required') {
      for (const name of params.requiredProperties as string[]) {
        add(field ? `${field}/${name}` : name, undefined, 'a value: the field is required');
      }
    } else if (error.keyword !== 'boolean' && error.keyword !== 'anyOf') {
      add(field, valueAt(root, error.instancePath), expectation(error));
    }
  }
  if (findings.size === 0) add('', root, 'a body that fits its schema');
  return [...findings.values()];
}

/** MongoDB stores 100 levels, and the outbox needs some of them; a body that nobody can store would hold its partition. */
const MAX_LEVELS = 32;

function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (levels === 0) return true;
  for (const name in value) {
    if (isDeeper((value as Record<string, unknown>)[name], levels - 1)) return true;
  }
  return false;
}

function tooDeep(value: object): Finding[] {
  return Object.entries(value)
    .filter(([, each]) => isDeeper(each, MAX_LEVELS - 1))
    .map(([field]) => ({ field, value: undefined, expected: `at most ${MAX_LEVELS} levels of nesting` }));
}

/** Checks a value against a schema; all findings at once, each with field, value and what is accepted. */
export function check<S extends TSchema>(schema: S, value: unknown): Checked<Static<S>> {
  if (isDeeper(value, MAX_LEVELS)) return { ok: false, errors: tooDeep(value as object) };
  const validator = validatorOf(schema);
  if (validator.Check(value)) return { ok: true, value: value as Static<S> };
  return { ok: false, errors: findingsOf(value, validator.Errors(value)) };
}
