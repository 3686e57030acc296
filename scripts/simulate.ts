import process from 'node:process';
import { Command } from 'commander';
import { MISTAKES } from '../test/simulation/mistakes.ts';
import { simulate } from '../test/simulation/simulation.ts';

const options = new Command('npm run simulate --')
  .description(
    'The rules, journal, schedules and receipts in a simulated world, from a seed; every step is repeatable.',
  )
  .option('--seed <n>', 'where to begin', Number, 1)
  .option('--steps <n>', 'how far to go', Number, 100_000)
  .option('--mistake <name>', `plants a mistake: ${Object.keys(MISTAKES).join('; ')}`)
  .option('--trace <lines>', 'lines of the trace of a failure', Number, 60)
  .parse()
  .opts<{ seed: number; steps: number; mistake?: string; trace: number }>();

const began = performance.now();
const { seed, steps, mistake, trace } = options;
const result = await simulate({ seed, steps, mistake, traceLines: trace });
const seconds = ((performance.now() - began) / 1_000).toFixed(1);
const { failure, ...met } = result;
process.stdout.write(`${JSON.stringify({ ...met, seconds: Number(seconds) })}\n`);
if (failure) {
  process.stdout.write(`${failure.trace.join('\n')}\n\n${failure.message}\n`);
  process.stdout.write(`again: npm run simulate -- --seed ${failure.seed} --steps 1\n`);
  process.exitCode = 1;
}
