/**
 * Runs the work three times and prints its best rate.
 * @param work returns something that depends on all it did, so that the compiler cannot leave it out
 */
export function bestRate(name: string, count: number, work: () => number): void {
  let best = 0;
  let result = 0;
  for (let run = 0; run < 3; run++) {
    const begun = performance.now();
    result = work();
    best = Math.max(best, (count / (performance.now() - begun)) * 1000);
  }
  console.log(`${name.padEnd(44)} ${Math.round(best).toLocaleString('en').padStart(12)}/s   (${result})`);
}
