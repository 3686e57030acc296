/** Holds what a fault is about; undefined where another one has it. */
export async function holding<T>(
  busy: Set<string>,
  names: readonly string[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (names.some((name) => busy.has(name))) return undefined;
  for (const name of names) busy.add(name);
  try {
    return await work();
  } finally {
    for (const name of names) busy.delete(name);
  }
}
