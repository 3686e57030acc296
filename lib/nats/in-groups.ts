/**
 * Collects what a source yields into groups: a full one at once, a smaller one `lingerMs` after its first item. Reads the
 * source without pause, also while a group is being worked on; an error of the source comes after the last group.
 */
export async function* inGroups<T>(
  source: AsyncIterable<T>,
  maxSize: number,
  lingerMs: number,
): AsyncGenerator<T[], void> {
  const buffer: T[] = [];
  const reader: { reading: boolean; error?: unknown } = { reading: true };
  let wake = () => {};

  void (async () => {
    try {
      for await (const item of source) {
        buffer.push(item);
        wake();
      }
    } catch (error) {
      reader.error = error;
    }
    reader.reading = false;
    wake();
  })();

  /** Resolves when something changed, or after `ms`. */
  const change = (ms?: number) =>
    new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  for (;;) {
    while (buffer.length === 0 && reader.reading) await change();
    const until = performance.now() + lingerMs;
    while (buffer.length > 0 && buffer.length < maxSize && reader.reading) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) break;
      await change(leftMs);
    }
    if (buffer.length > 0) yield buffer.splice(0, maxSize);
    else if (reader.error !== undefined) throw reader.error;
    else return;
  }
}
