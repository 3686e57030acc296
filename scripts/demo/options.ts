import { Command, InvalidArgumentError } from 'commander';

export interface DemoOptions {
  recipients: number;
  file?: string;
  keep: boolean;
  chaos: boolean;
  scheduled: boolean;
  cluster: boolean;
  json: boolean;
  seed: number;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number of 1 or more');
  return value;
}

export function readOptions(argv: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description('Imports recipients, runs them as one batch over real SMPP, and checks every one of them.')
    .option('--recipients <n>', 'rows of the generated file', wholeNumber, 100_000)
    .option('--file <csv>', 'your own CSV or NDJSON file, with a phone column')
    .option('--seed <n>', 'of the generator: the same file each time', wholeNumber, 1)
    .option('--chaos', 'kill -9 a worker and a batch host half-way, and go on', false)
    .option(
      '--scheduled',
      'a campaign every ten seconds in its place; the scheduler is killed across a due time',
      false,
    )
    .option(
      '--cluster',
      'three nats-servers, each stream with three copies; with --chaos one is killed, too',
      false,
    )
    .option('--keep', 'leave everything running at the end', false)
    .option('--json', 'the last line of the output is one JSON object', false)
    .parse(argv as string[])
    .opts<DemoOptions>();
}
