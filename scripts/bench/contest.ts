import { type Child, startChild } from '../engine/child-process.ts';
import { type CpuByProcess, cpuBetween, cpuOf, sumOf } from './usage.ts';

/** One run of one contestant. */
export interface Measured {
  messages: number;
  seconds: number;
  /** CPU seconds by process, over the run. */
  cpu: CpuByProcess;
}

export const perSecond = ({ messages, seconds }: Measured): number => messages / seconds;
/** CPU seconds a million messages, all processes together. */
export const cpuPerMillion = ({ messages, cpu }: Measured): number => (sumOf(cpu) / messages) * 1_000_000;

/** Runs `work` and reads the CPU time of the processes around it, or from when `work` says that it begins. */
export async function measured(
  pids: Record<string, number>,
  messages: number,
  work: (meter: { begin(): void; end(): void }) => Promise<number>,
): Promise<Measured> {
  let before = cpuOf(pids);
  let after: CpuByProcess | undefined;
  const meter = {
    begin: () => {
      before = cpuOf(pids);
    },
    end: () => {
      after = cpuOf(pids);
    },
  };
  const seconds = await work(meter);
  return { messages, seconds, cpu: cpuBetween(before, after ?? cpuOf(pids)) };
}

/** A client program of the bench: its own process, so that its CPU time is its own. */
export async function runProgram(
  script: string,
  args: readonly (string | number)[],
  pids: Record<string, number>,
  logDir: string,
  messages: number,
): Promise<Measured> {
  const before = cpuOf(pids);
  const child: Child = await startChild({
    name: `bench-${Date.now()}`,
    script,
    args: args.map(String),
    logDir,
    isReady: (line) => line.result === true,
  });
  const cpu = { ...cpuBetween(before, cpuOf(pids)), client: child.readyLine.cpuSeconds as number };
  await child.stop();
  return { messages, seconds: child.readyLine.seconds as number, cpu };
}
