import { runProcess } from '../lib/service/run-process.ts';
import { batch } from './batch/main.ts';
import { receipts } from './receipts/main.ts';
import { steps } from './steps/main.ts';

/** `smsbatch` runs every component in this process; `smsbatch batch steps` only those. */
await runProcess([batch, receipts, steps], process.argv.slice(2), process.env);
