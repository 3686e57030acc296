/** A document as the store keeps it. */
export type Document = Record<string, unknown> & { _id: string };
export type Filter = Record<string, unknown>;
export type Change = Record<string, Record<string, unknown>>;

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** As if it had gone over the wire: nothing is shared, and what is undefined is not there. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (!isPlain(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const name in value) {
    const each = value[name];
    if (each !== undefined) copy[name] = copyOf(each);
  }
  return copy as T;
}

/** The values at a path; several where it leads through an array. */
function valuesAt(value: unknown, path: string): unknown[] {
  if (!path.includes('.')) return [(value as Record<string, unknown>)[path]];
  let found: unknown[] = [value];
  for (const name of path.split('.')) {
    found = found
      .flatMap((each) => (Array.isArray(each) ? each : [each]))
      .map((each) => (each as Record<string, unknown> | undefined | null)?.[name]);
  }
  return found;
}

const COMPARISONS: Record<string, (value: never, limit: never) => boolean> = {
  $eq: (value, limit) => value === limit,
  $ne: (value, limit) => value !== limit,
  $lt: (value, limit) => value !== undefined && value < limit,
  $lte: (value, limit) => value !== undefined && value <= limit,
  $gt: (value, limit) => value !== undefined && value > limit,
  $gte: (value, limit) => value !== undefined && value >= limit,
  $in: (value, limit) => (limit as unknown[]).includes(value),
  $nin: (value, limit) => !(limit as unknown[]).includes(value),
  $exists: (value, limit) => (value !== undefined) === limit,
  $not: (value, limit) => !fits(value, limit),
};

function fits(value: unknown, wanted: unknown): boolean {
  if (!isPlain(wanted)) return value === wanted || (Array.isArray(value) && value.includes(wanted));
  for (const name in wanted) {
    const compare = COMPARISONS[name];
    if (!compare) throw new Error(`the store of the simulation has no ${name}`);
    if (!compare(value as never, wanted[name] as never)) return false;
  }
  return true;
}

export function matches(document: Document, filter: Filter): boolean {
  for (const path in filter) {
    const wanted = filter[path];
    if (path === '$and') {
      if (!(wanted as Filter[]).every((each) => matches(document, each))) return false;
      continue;
    }
    if (path.startsWith('$')) throw new Error(`the store of the simulation has no ${path}`);
    const values = valuesAt(document, path);
    if (values.length === 1 ? !fits(values[0], wanted) : !values.some((value) => fits(value, wanted)))
      return false;
  }
  return true;
}

/** The document after a change; a new one, so that the one before can be looked at, too. */
export function changed(document: Document, change: Change, inserting = false): Document {
  const next = { ...document };
  for (const operator in change) {
    const fields = change[operator]!;
    for (const path in fields) {
      if (path.includes('.')) throw new Error(`the store of the simulation sets no ${path}`);
      const value = copyOf(fields[path]);
      if (operator === '$set') {
        if (value !== undefined) next[path] = value;
      } else if (operator === '$inc') next[path] = ((next[path] as number) ?? 0) + (value as number);
      else if (operator === '$unset') delete next[path];
      else if (operator === '$setOnInsert') {
        if (inserting) next[path] = value;
      } else throw new Error(`the store of the simulation has no ${operator}`);
    }
  }
  return next;
}

/** Only what was asked for, as far as whole fields go: who reads more than it has asked for is to notice. */
export function projected(document: Document, projection: Record<string, unknown> | undefined): Document {
  const names = Object.keys(projection ?? {}).map((path) => path.split('.')[0]!);
  if (names.length === 0) return copyOf(document);
  if (Object.values(projection!).every((value) => value === 0)) {
    const rest = { ...document };
    for (const name of names) delete (rest as Record<string, unknown>)[name];
    return copyOf(rest);
  }
  const part: Document = { _id: document._id };
  for (const name of names) if (document[name] !== undefined) part[name] = copyOf(document[name]);
  return part;
}
