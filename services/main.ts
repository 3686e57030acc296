import { runProcess } from '../lib/service/run-process.ts';
import { batch } from './batch/main.ts';
import { receipts } from './receipts/main.ts';
import { scheduler } from './scheduler/main.ts';
import { stats } from './stats/main.ts';
import { steps } from './steps/main.ts';
import { tables } from './tables/main.ts';
import { watcher } from './watcher/main.ts';

/** `smsbatch` runs every component in this process; `smsbatch batch steps` only those. */
await runProcess(
  [tables, batch, receipts, stats, steps, scheduler, watcher],
  process.argv.slice(2),
  process.env,
);
