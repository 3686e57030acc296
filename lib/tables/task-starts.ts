/** A task is a few seconds of work, and what a crash makes someone else read again. */
const ROWS_A_TASK = 14_000;
const FEWEST_ROWS_A_TASK = 2_000;
/** A table of some size gives this many workers something to do. */
const TASKS_WANTED = 8;

/**
 * Cuts a table into tasks: runs of whole buckets, each as near to the wanted size as its buckets allow (12,000 to
 * 16,000 rows for buckets of the usual size; less for a table that would make fewer than eight).
 * @returns the first bucket of each task; at least one task
 */
export function taskStartsOf(rowsByBucket: readonly number[]): number[] {
  const total = rowsByBucket.reduce((sum, rows) => sum + rows, 0);
  const wanted = Math.max(FEWEST_ROWS_A_TASK, Math.min(ROWS_A_TASK, total / TASKS_WANTED));
  const starts = [0];
  let inTask = 0;
  let left = total;
  rowsByBucket.forEach((rows, bucket) => {
    const nearerWithout = inTask + rows - wanted > wanted - inTask;
    // Buckets behind the last row make no task.
    if (inTask > 0 && left > 0 && nearerWithout) {
      starts.push(bucket);
      inTask = 0;
    }
    inTask += rows;
    left -= rows;
  });
  return starts;
}
