import Table from 'cli-table3';
import { cpuPerMillion, type Measured, perSecond } from './contest.ts';
import { median } from './usage.ts';

export interface Contestant {
  what: string;
  messagesPerSecond: number;
  /** CPU seconds a million messages: all processes, ours and the servers' and the simulator's. */
  cpuSecondsPerMillion: number;
  cpuByProcess: Record<string, number>;
}

export interface Results {
  contestants: Record<string, Contestant>;
  ratios: Record<string, number>;
  /** Peak resident memory of each of our processes. */
  peakMb: Record<string, number>;
}

const WHAT: Record<string, string> = {
  a: 'npm smpp loop, window 100',
  b: 'BullMQ worker, a job a message',
  c: 'our codec’s bare loop, window 100',
  d: 'our delivery phase',
  r: 'our delivery phase, a receipt a message',
  e: 'our whole batch, import to Succeeded',
  f: 'our codec’s bare loop, carrier at 5 ms',
  s: 'our delivery phase, carrier at 5 ms',
  g: 'import: CSV to placed chunks',
};

export function resultsOf(runs: ReadonlyMap<string, Measured[]>, peakMb: Record<string, number>): Results {
  const contestants: Record<string, Contestant> = {};
  for (const [letter, list] of runs) {
    const names = [...new Set(list.flatMap(({ cpu }) => Object.keys(cpu)))];
    contestants[letter] = {
      what: WHAT[letter] ?? letter,
      messagesPerSecond: Math.round(median(list.map(perSecond))),
      cpuSecondsPerMillion: round(median(list.map(cpuPerMillion))),
      cpuByProcess: Object.fromEntries(
        names.map((name) => [
          name,
          round(median(list.map(({ cpu, messages }) => ((cpu[name] ?? 0) / messages) * 1e6))),
        ]),
      ),
    };
  }
  const rate = (letter: string) => contestants[letter]?.messagesPerSecond;
  const cpu = (letter: string) => contestants[letter]?.cpuSecondsPerMillion;
  const ratios = Object.fromEntries(
    Object.entries({
      deliveryToRaw: ratio(rate('d'), rate('a')),
      deliveryWithReceiptsToRaw: ratio(rate('r'), rate('a')),
      batchToBullmq: ratio(rate('e'), rate('b')),
      deliveryToOwnCodecAt5ms: ratio(rate('s'), rate('f')),
      cpuDeliveryToRaw: ratio(cpu('d'), cpu('a')),
      cpuDeliveryWithReceiptsToRaw: ratio(cpu('r'), cpu('a')),
      importToRaw: ratio(rate('g'), rate('a')),
    }).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
  return { contestants, ratios, peakMb };
}

const ratio = (of: number | undefined, to: number | undefined): number | undefined =>
  of === undefined || to === undefined ? undefined : round(of / to);
const round = (value: number): number => Math.round(value * 100) / 100;

export function printResults({ contestants, ratios, peakMb }: Results): void {
  const table = new Table({
    head: ['', 'contestant', 'messages/s', 'CPU s a million', 'by process'],
    style: { head: [], border: [] },
  });
  for (const [letter, each] of Object.entries(contestants)) {
    const by = Object.entries(each.cpuByProcess)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
    table.push([
      letter,
      each.what,
      each.messagesPerSecond.toLocaleString('en'),
      each.cpuSecondsPerMillion,
      by,
    ]);
  }
  const lines = [
    '',
    table.toString(),
    ...Object.entries(ratios).map(([name, value]) => `${name.padEnd(32)} ${value}`),
    `peak resident memory, MB: ${Object.entries(peakMb)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
    '',
  ];
  process.stderr.write(lines.join('\n'));
}
