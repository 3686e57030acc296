import type { Redis } from 'ioredis';
import {
  type EndedBody,
  type ProgressBody,
  type RecountedBody,
  statsKey,
  type TaskProgressBody,
} from './hash.ts';
import type { Sample, StatusFacts } from './status.ts';

/**
 * What status is made of, from the hash: one HGETALL. Undefined where the hash is missing or its batch's own figures are.
 * @throws when Redis does not answer
 */
export async function factsFromRedis(redis: Redis, batchId: string): Promise<StatusFacts | undefined> {
  const hash = await redis.hgetall(statsKey(batchId));
  if (hash.batch === undefined) return undefined;
  const progress = JSON.parse(hash.batch) as ProgressBody;
  const tasks: TaskProgressBody[] = [];
  for (const [field, json] of Object.entries(hash))
    if (field.startsWith('task:')) tasks.push(JSON.parse(json));
  const recount = hash.recount === undefined ? undefined : (JSON.parse(hash.recount) as RecountedBody);
  const ended = hash.ended === undefined ? undefined : (JSON.parse(hash.ended) as EndedBody);
  const times = [progress, ...tasks, recount, ended].flatMap((body) => (body ? [Date.parse(body.at)] : []));
  return {
    progress,
    tasks,
    recount,
    ended,
    samples: hash.samplesOf === (progress.phase ?? '-') ? parseSamples(hash.samples ?? '') : [],
    asOfMs: Math.max(...times),
  };
}

const parseSamples = (text: string): Sample[] =>
  text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [atMs, handled, segments] = word.split(':').map(Number) as [number, number, number];
      return { atMs, handled, segments };
    });
