import { readFileSync } from 'node:fs';

/** Kernel ticks a second, as /proc counts CPU time. 100 on every Linux that runs Node. */
const TICKS_A_SECOND = 100;

/** CPU seconds, user and system, of a process and its threads since it started; 0 where it has gone. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name stands in brackets and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  } catch {
    return 0;
  }
}

/** CPU seconds of this process from now on. */
export function cpuMeter(): () => number {
  const from = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(from);
    return (user + system) / 1_000_000;
  };
}

/** Peak resident memory in MB. */
export function peakMb(pid: number): number {
  try {
    const kB = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kB ?? 0) / 1024);
  } catch {
    return 0;
  }
}

export type CpuByProcess = Record<string, number>;

export const cpuOf = (pids: Record<string, number>): CpuByProcess =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));

export const cpuBetween = (before: CpuByProcess, after: CpuByProcess): CpuByProcess =>
  Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));

export const sumOf = (cpu: CpuByProcess): number => Object.values(cpu).reduce((sum, value) => sum + value, 0);

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
