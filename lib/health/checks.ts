import { withTimeout } from '../lifecycle/deadline.ts';

/** Resolves when it is well; rejects, or throws, with the reason in words. */
export type Check = () => unknown;

/** By name: `nats`, `mongodb`, `consumer SMS_STEPS/delivery`. */
export type Checks = Readonly<Record<string, Check>>;

export interface CheckResult {
  name: string;
  ok: boolean;
  ms: number;
  reason?: string;
}

/** All at once, each within `timeoutMs`: a check that hangs is one that failed. */
export function runChecks(checks: Checks, timeoutMs = 2_000): Promise<CheckResult[]> {
  return Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const startedAt = performance.now();
      const ms = () => Math.round(performance.now() - startedAt);
      try {
        await withTimeout((async () => check())(), timeoutMs, name);
        return { name, ok: true, ms: ms() };
      } catch (error) {
        return { name, ok: false, ms: ms(), reason: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
}

/** A check from a yes or no: `must(() => nats.connected(), 'disconnected')`. */
export function must(holds: () => boolean, otherwise: string): Check {
  return () => {
    if (!holds()) throw new Error(otherwise);
  };
}

/** A check from a loop's `failing()`. */
export function mustNotFail(failing: () => string | undefined): Check {
  return () => {
    const reason = failing();
    if (reason !== undefined) throw new Error(reason);
  };
}
