/**
 * Columns are newline-joined strings: 2.5 times smaller than sub-documents and still legible in mongosh
 * (measured; design: "Chunks"). A value that holds a newline or backslash is escaped.
 */
export function joinColumn(values: readonly string[]): string {
  const joined = values.join('\n');
  let newlines = 0;
  for (let at = joined.indexOf('\n'); at !== -1; at = joined.indexOf('\n', at + 1)) newlines++;
  if (newlines === values.length - 1 && !joined.includes('\\')) return joined;
  return values.map((value) => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')).join('\n');
}

/** The values of a column; an empty string stands for `size` empty values. */
export function splitColumn(joined: string, size: number): string[] {
  if (size === 0) return [];
  if (joined === '') return new Array<string>(size).fill('');
  const values = joined.split('\n');
  if (!joined.includes('\\')) return values;
  return values.map((value) =>
    value.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped)),
  );
}
