import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { silentLogger } from '../lib/log/logger.ts';
import { connectMongo } from '../lib/mongo/connect.ts';
import { storeOf } from '../lib/store/collections.ts';
import { runMutant } from './chaos/mutant.ts';
import { readOptions } from './chaos/options.ts';
import { planOf } from './chaos/plan.ts';
import { brokenPromises, printResult } from './chaos/result.ts';
import { runChaos } from './chaos/run.ts';
import { World } from './chaos/world.ts';
import { BUILT, build } from './engine/child-process.ts';
import { CleanUp } from './engine/clean-up.ts';

const options = readOptions(process.argv);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { seed, seconds, faults, mutant, json } = options;
  if (mutant !== undefined) return runMutant(mutant, options, say);
  say(`smsbatch chaos: seed ${seed}, ${seconds} s of faults: ${faults.join(', ')}`);
  const stack = new CleanUp();
  try {
    if (process.env[BUILT] !== '1') await build();
    process.env[BUILT] = '1';
    const world = stack.use(await World.open({ built: true, cluster: options.cluster }));
    say(`Logs: ${world.servers.logDir}`);
    const { natsUrl, mongoUrl, mongoDatabase, logDir } = world.servers;
    const nc = await connect({
      servers: natsUrl.split(','),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
    });
    stack.defer(() => nc.close());
    const mongo = stack.use(
      await connectMongo({ url: mongoUrl, database: mongoDatabase, name: 'chaos', log: silentLogger() }),
    );
    const result = await runChaos({
      plan: planOf(seed, seconds, faults),
      options,
      world,
      nc,
      store: storeOf(mongo.db),
      attemptsFile: join(logDir, 'attempts.ndjson'),
      say,
    });
    printResult(result, say);
    say(`Again: npm run chaos -- --seed ${seed} --seconds ${seconds}`);
    say(`Every call and fault: ${logDir}`);
    if (json) console.log(JSON.stringify(result));
    return brokenPromises(result).length === 0 ? 0 : 1;
  } finally {
    await stack[Symbol.asyncDispose]();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  say(`\nThe run failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  process.exitCode = 2;
}
