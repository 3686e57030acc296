/** GCRA: `rate` a second on average, at most `burstMs` of the rate at once. A rate of 0 lets everything through. */
export function createThrottle(ratePerSecond: number, burstMs: number): (nowMs: number) => boolean {
  if (ratePerSecond === 0) return () => true;
  const intervalMs = 1000 / ratePerSecond;
  let theoreticalMs = 0;
  return (nowMs) => {
    const arrivalMs = Math.max(theoreticalMs, nowMs);
    if (arrivalMs - nowMs > Math.max(0, burstMs - intervalMs)) return false;
    theoreticalMs = arrivalMs + intervalMs;
    return true;
  };
}
