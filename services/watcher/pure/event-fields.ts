/** What an event holds at a path as `order.items.0.sku`; undefined where there is nothing. Own fields only. */
export function fieldAt(event: unknown, path: string): unknown {
  let value = event;
  for (const name of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Paths of the fields that hold a value, for people who look for the right one. */
export function pathsOf(event: unknown, limit: number): string[] {
  const paths: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (paths.length >= limit) return;
    if (value === null || typeof value !== 'object') paths.push(path);
    else for (const [name, each] of Object.entries(value)) walk(each, path === '' ? name : `${path}.${name}`);
  };
  walk(event, '');
  return paths;
}
