import { Command, InvalidArgumentError } from 'commander';
import { FAULT_KINDS, type FaultKind, isFaultKind, kindsFor } from './fault-kinds.ts';

export interface ChaosOptions {
  seconds: number;
  seed: number;
  faults: readonly FaultKind[];
  mutant?: string;
  json: boolean;
  failFast: boolean;
  cluster: boolean;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number of 1 or more');
  return value;
}

function faultKinds(text: string): FaultKind[] {
  const names = text.split(',').map((name) => name.trim());
  const strange = names.filter((name) => !isFaultKind(name));
  if (strange.length > 0) {
    throw new InvalidArgumentError(`${strange.join(', ')}: there are ${Object.keys(FAULT_KINDS).join(', ')}`);
  }
  return names as FaultKind[];
}

const kindsHelp = (): string =>
  `\nFaults:\n${Object.entries(FAULT_KINDS)
    .map(([name, { what }]) => `  ${name.padEnd(12)} ${what}`)
    .join('\n')}\n`;

export function readOptions(argv: readonly string[]): ChaosOptions {
  const command = new Command('npm run chaos --')
    .description(
      'Batches, commands and faults at random on real servers; then every recipient is compared in three books: ours, the carrier’s, the table.',
    )
    .option('--seconds <n>', 'how long faults are made', wholeNumber, 300)
    .option(
      '--seed <n>',
      'repeats the plan of a run',
      wholeNumber,
      1 + Math.floor(Math.random() * 1_000_000_000),
    )
    .option('--faults <kinds>', 'only these, comma-separated; default: all', faultKinds)
    .option('--mutant <name>', 'a copy of the tree with test/mutants/<name>.patch: a promise has to break')
    .option('--cluster', 'three nats-servers; also their own faults', false)
    .option('--fail-fast', 'end as soon as a promise is broken', false)
    .option('--json', 'the last line of the output is one JSON object', false)
    .addHelpText('after', kindsHelp)
    .parse(argv as string[]);
  const options = command.opts<Omit<ChaosOptions, 'faults'> & { faults?: FaultKind[] }>();
  const possible = kindsFor(options.cluster ? 'cluster' : 'single');
  const { faults = possible } = options;
  const strange = faults.filter((kind) => !possible.includes(kind));
  if (strange.length > 0) {
    const where = options.cluster ? 'with' : 'without';
    command.error(`error: --faults ${strange.join(', ')}: not ${where} --cluster`, { exitCode: 2 });
  }
  return { ...options, faults };
}
