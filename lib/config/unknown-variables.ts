import type { TObject } from 'typebox';
import type { Field } from './field.ts';
import type { Env } from './read-config.ts';

const prefix = 'SMSBATCH_';

/**
 * Variables that look like ours and that none of the schemas knows: a typing mistake leaves its default in force, without a
 * word. A warning and no error, since a newer or an older version may know them.
 */
export function unknownVariables(env: Env, schemas: readonly TObject[]): string[] {
  const known = schemas.flatMap((schema) =>
    Object.entries(schema.properties).flatMap(([name, field]) => namesOf(name, field)),
  );
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .sort()
    .map((name) => {
      const nearest = known.find((each) => distance(each, name) <= 2);
      return `${name} is unknown and has no effect${nearest ? `: did you mean ${nearest}?` : ''}`;
    });
}

function namesOf(name: string, field: unknown): string[] {
  return (field as Field).secret ? [name, `${name}_FILE`] : [name];
}

/** Levenshtein's distance: single letters added, left out or changed. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
