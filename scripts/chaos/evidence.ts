import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { lifeId } from '../../contracts/ids.ts';
import { recountsOf } from '../../lib/receipts/recount-document.ts';
import { statsKey } from '../../lib/stats/hash.ts';
import { idsUnder } from '../../lib/tables/chunk-ranges.ts';
import type { Scene } from './scene.ts';

/** Everything that is known of the batches named in the findings: the servers' data go with the run. */
export async function saveEvidence(scene: Scene, examples: readonly string[]): Promise<void> {
  const { store, users, world, say } = scene;
  const ids = new Set(
    [...users.batches.keys()].filter((id) =>
      examples.some(
        (example) =>
          example.startsWith(`${id} `) || example.startsWith(`${id}:`) || example.startsWith(`${id}-`),
      ),
    ),
  );
  const redis = new Redis(world.servers.redisUrl, { maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  try {
    for (const batch of await store.batches.find({ _id: { $in: [...ids] } }).toArray()) {
      const life = lifeId(batch._id, batch.incarnation);
      const evidence = {
        batch,
        tasks: await store.tasks.find({ _id: idsUnder(life) }).toArray(),
        outcomes: await store.outcomes.find({ _id: idsUnder(life) }).toArray(),
        receipts: await store.receipts.find({ _id: idsUnder(life) }).toArray(),
        recount: await recountsOf(store.db).findOne({ _id: life }),
        redis: await redis.hgetall(statsKey(batch._id)),
      };
      await writeFile(join(world.servers.logDir, `${batch._id}.json`), JSON.stringify(evidence, null, 1));
    }
    const ledger: string[] = [];
    for await (const entry of world.simulator.ledger())
      if (ids.has(entry.sender)) ledger.push(JSON.stringify(entry));
    await writeFile(join(world.servers.logDir, 'ledger.ndjson'), ledger.join('\n'));
    say(`Documents and ledger of ${[...ids].join(', ')}: ${world.servers.logDir}`);
  } finally {
    redis.disconnect();
  }
}
