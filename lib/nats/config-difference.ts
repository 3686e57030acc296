/** One field of a stream or a consumer that is not as the service needs it. */
export interface Difference {
  field: string;
  has: unknown;
  wanted: unknown;
}

type Config = Readonly<Record<string, unknown>>;

/**
 * Compares what the server returned with what was wanted.
 *
 * A field of `wanted` has to be as it says. A field that `wanted` leaves out has to be as `mustBeUnset` says, where it is
 * listed there: an operator's extra `max_age` on a work queue would lose commands. Anything else (description, placement,
 * compression) is the operator's business. `_nats.*` metadata is the server's.
 */
export function differences(has: Config, wanted: Config, mustBeUnset: Config): Difference[] {
  const found: Difference[] = [];
  const expected = { ...mustBeUnset, ...definedFields(wanted) };
  for (const [field, value] of Object.entries(expected)) {
    if (!same(field, has[field], value)) found.push({ field, has: has[field], wanted: value });
  }
  return found;
}

function definedFields(config: Config): Config {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function same(field: string, has: unknown, wanted: unknown): boolean {
  if (field === 'metadata') return includes(has, wanted);
  return JSON.stringify(normalised(field, has)) === JSON.stringify(normalised(field, wanted));
}

/** Metadata may hold more than was asked for: the server adds its own. */
function includes(has: unknown, wanted: unknown): boolean {
  const present = (has ?? {}) as Record<string, unknown>;
  return Object.entries(wanted as object).every(([key, value]) => present[key] === value);
}

const limits = new Set([
  'max_msgs',
  'max_bytes',
  'max_msgs_per_subject',
  'max_msg_size',
  'max_consumers',
  'max_deliver',
]);
const unordered = new Set(['subjects', 'filter_subjects']);

/** The server leaves out what is false, empty or 0, writes "no limit" as -1, and keeps no order of subjects. */
function normalised(field: string, value: unknown): unknown {
  if (limits.has(field)) return value === undefined || value === null || value === 0 ? -1 : value;
  if (value === undefined || value === null || value === false || value === 0 || value === '') return null;
  if (Array.isArray(value)) {
    if (value.length === 0) return null;
    return (unordered.has(field) ? [...value].sort() : value).map((each) => normalised('', each));
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value)
      .map(([key, inner]) => [key, normalised(key, inner)] as const)
      .filter(([, inner]) => inner !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.length === 0 ? null : Object.fromEntries(entries);
  }
  return value;
}

/** Thrown for a stream or consumer that exists and does not fit. Nothing was changed. */
export class ConfigMismatchError extends Error {
  override readonly name = 'ConfigMismatchError';
  readonly asset: string;
  readonly differences: readonly Difference[];

  constructor(asset: string, found: readonly Difference[]) {
    const lines = found.map((each) => `  ${each.field}: has ${show(each.has)}, wanted ${show(each.wanted)}`);
    super(`${asset} exists and does not fit; it was left as it is:\n${lines.join('\n')}`);
    this.asset = asset;
    this.differences = found;
  }
}

function show(value: unknown): string {
  return value === undefined || value === null ? 'nothing' : JSON.stringify(value);
}
