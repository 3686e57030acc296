import type { Redis } from 'ioredis';
import type { EventBody } from '../../contracts/events.ts';
import { type OutcomeCounts, openOf, totalOf } from '../../contracts/outcomes.ts';
import { runScript, type Script } from '../redis/script.ts';

/** One hash a batch: a view, which may be flushed at any moment and is rebuilt from MongoDB. */
export const statsKey = (batchId: string): string => `smsbatch:stats:${batchId}`;

/** How long the figures of an ended batch stay. */
export const ENDED_TTL_SECONDS = 7 * 24 * 3_600;

export type ProgressBody = EventBody<'progress'>;
export type TaskProgressBody = EventBody<'task-progress'>;
export type RecountedBody = EventBody<'recounted'>;
export type EndedBody = EventBody<'ended'>;

/** What goes into the hash, each with its own version. */
export type StatsUpdate =
  | { kind: 'progress'; body: ProgressBody }
  | { kind: 'task'; body: TaskProgressBody }
  | { kind: 'recount'; body: RecountedBody }
  | { kind: 'ended'; body: EndedBody };

export const taskField = (step: string, n: number): string => `task:${step}:${n}`;

export function fieldOf(update: StatsUpdate): string {
  switch (update.kind) {
    case 'progress':
      return 'batch';
    case 'task':
      return taskField(update.body.step, update.body.task);
    case 'recount':
      return 'recount';
    case 'ended':
      return 'ended';
  }
}

/**
 * - `taken`
 * - `first`: taken, and the hash was empty before: whatever came earlier is missing in it (it was flushed, or is new)
 * - `refused`: an older version, an earlier life, or a task that has ended
 */
export type TakeResult = 'taken' | 'first' | 'refused';

/**
 * Fields: `life` (ms at which the batch was created: a later life of the same ID wins), `batch`, `task:<step>:<n>`,
 * `recount`, `ended` (JSON of the events), `v:<field>` (its version), `n:<step>:<n>` ("handled segments" of a task),
 * `floor` (lowest version that counts, after a restore), `n` (those of the ended tasks), `samples` ("ms:handled:segments" joined by a space, for the rate), `samplesOf` (their step).
 */
const TAKE: Script<TakeResult> = {
  name: 'smsbatchStatsTake',
  lua: `
local key, life, kind, field = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3]
local version, json, force = tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1'
local at, handled, segments = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local step, task, nextTask, ttl = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local known = tonumber(redis.call('HGET', key, 'life') or '')
if known and life < known then return 0 end
if known and life > known then redis.call('DEL', key); known = nil end
local floor = tonumber(redis.call('HGET', key, 'floor') or '')
if floor and version < floor and not force then return 0 end
local had = tonumber(redis.call('HGET', key, 'v:' .. field) or '')
if had and (version < had or (version == had and not force)) then return 0 end

local function split(text)
  local words = {}
  for word in string.gmatch(text or '', '%S+') do words[#words + 1] = word end
  return words
end
if kind == 'task' then
  -- A task that has ended is in the batch's own sums: its late progress would count it twice.
  local place = split(redis.call('HGET', key, 'place'))
  if place[1] then
    if step ~= place[1] and (',' .. (place[3] or '') .. ','):find(',' .. step .. ',', 1, true) then return 0 end
    if step == place[1] and task < tonumber(place[2]) then
      if not redis.call('HGET', key, 'out') then return 0 end
      if not (',' .. redis.call('HGET', key, 'out') .. ','):find(',' .. task .. ',', 1, true) then return 0 end
    end
  end
end
redis.call('HSET', key, 'life', ARGV[1], field, json, 'v:' .. field, ARGV[4])

if kind == 'progress' then
  local out, done = ARGV[14], ARGV[15]
  local stays = {}
  for n in string.gmatch(out, '%d+') do stays[n] = true end
  redis.call('HSET', key, 'place', step .. ' ' .. nextTask .. ' ' .. done, 'out', out, 'n', handled .. ' ' .. segments)
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local of, n = string.match(name, '^task:(.+):(%d+)$')
    if of and not (of == step and (stays[n] or tonumber(n) >= nextTask)) then
      redis.call('HDEL', key, name, 'v:' .. name, 'n:' .. of .. ':' .. n)
    end
  end
elseif kind == 'task' then
  redis.call('HSET', key, 'n:' .. step .. ':' .. task, handled .. ' ' .. segments)
elseif kind == 'ended' then
  redis.call('EXPIRE', key, ttl)
end

if kind == 'progress' or kind == 'task' then
  local place, out = split(redis.call('HGET', key, 'place')), redis.call('HGET', key, 'out') or ''
  local of = place[1] or step
  local sum = split(redis.call('HGET', key, 'n') or '0 0')
  local total, allSegments = tonumber(sum[1]), tonumber(sum[2])
  for n in string.gmatch(out, '%d+') do
    local own = split(redis.call('HGET', key, 'n:' .. of .. ':' .. n) or '0 0')
    total, allSegments = total + tonumber(own[1]), allSegments + tonumber(own[2])
  end
  local samples = {}
  if redis.call('HGET', key, 'samplesOf') == of then samples = split(redis.call('HGET', key, 'samples')) end
  local last = samples[#samples]
  local lastAt, lastTotal = string.match(last or '', '^(%d+):(%d+):')
  -- Events of several tasks come in any order: a sample never goes back.
  if not last or (at >= tonumber(lastAt) + 250 and total >= tonumber(lastTotal)) then
    samples[#samples + 1] = string.format('%.0f:%.0f:%.0f', at, total, allSegments)
  end
  while #samples > 2 and (#samples > 60 or tonumber(string.match(samples[2], '^(%d+)')) <= at - 10000) do
    table.remove(samples, 1)
  end
  redis.call('HSET', key, 'samplesOf', of, 'samples', table.concat(samples, ' '))
end
if known then return 1 end
return 2
`,
  parse: (reply) => (reply === 0 ? 'refused' : reply === 2 ? 'first' : 'taken'),
};

/** Milliseconds at which a life began (contracts/ids.ts: incarnationOf); 0 where an event does not say. */
export const lifeMs = (incarnation: string | undefined): number =>
  incarnation === undefined ? 0 : Number.parseInt(incarnation, 36);

const handledOf = (counts: OutcomeCounts): number => totalOf(counts) - openOf(counts);

/** Steps that treat recipients one by one: they have a rate. */
export const COUNTING_STEPS = ['preparation', 'delivery'] as const;
export const isCountingStep = (step: string | null): step is (typeof COUNTING_STEPS)[number] =>
  (COUNTING_STEPS as readonly (string | null)[]).includes(step);

/** How many recipients a step has dealt with: `preparation` leaves most of them pending. */
export const dealtWith = (step: string, counts: OutcomeCounts | undefined): number =>
  counts ? (step === 'preparation' ? totalOf(counts) : handledOf(counts)) : 0;

/**
 * Takes an update if its version is higher than what the hash has; with `force` (a repair from MongoDB) also if it is the
 * same. @throws when Redis does not answer
 */
export function takeStats(redis: Redis, update: StatsUpdate, force = false): Promise<TakeResult> {
  const { body } = update;
  const at = Date.parse(body.at);
  const head = [
    lifeMs(body.incarnation),
    update.kind,
    fieldOf(update),
    body.version,
    JSON.stringify(body),
    force ? 1 : 0,
    at,
  ];
  return runScript(redis, TAKE, [statsKey(body.batchId)], [...head, ...placeOf(update)]);
}

/** handled, segments, step, task, next task, time to live, tasks out, steps done. */
function placeOf(update: StatsUpdate): (string | number)[] {
  if (update.kind === 'progress') {
    const { phase, done, tasks, segments = 0 } = update.body;
    const step = phase ?? '-';
    const ended = Object.keys(done).filter((each) => each !== step);
    const sent = step === 'delivery' ? segments : 0;
    return [
      dealtWith(step, done[step]),
      sent,
      step,
      -1,
      tasks.done + tasks.out.length,
      0,
      tasks.out.join(','),
      ended.join(','),
    ];
  }
  if (update.kind === 'task') {
    const { step, task, counts, segments = 0 } = update.body;
    return [dealtWith(step, counts), segments, step, task, 0, 0, '', ''];
  }
  return [0, 0, '-', -1, 0, ENDED_TTL_SECONDS, '', ''];
}

const DROP: Script<boolean> = {
  name: 'smsbatchStatsDrop',
  lua: `
local known, life = tonumber(redis.call('HGET', KEYS[1], 'life') or ''), tonumber(ARGV[1])
if known and life and known > life then return 0 end
return redis.call('DEL', KEYS[1])
`,
  parse: (reply) => reply === 1,
};

const FORGET: Script<boolean> = {
  name: 'smsbatchStatsForget',
  lua: `
local known, life = tonumber(redis.call('HGET', KEYS[1], 'life') or ''), tonumber(ARGV[1])
if known and known > life then return 0 end
local floor = tonumber(redis.call('HGET', KEYS[1], 'floor') or '')
if known == life and floor and floor >= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'life', ARGV[1], 'floor', ARGV[2])
return 1
`,
  parse: (reply) => reply === 1,
};

/**
 * MongoDB was set back: what is known here may be of a time that it has forgotten. Events of before, which may still come
 * again, have versions below that of the restore.
 */
export const forgetStats = (
  redis: Redis,
  { batchId, incarnation, version }: EventBody<'state-changed'>,
): Promise<boolean> => runScript(redis, FORGET, [statsKey(batchId)], [lifeMs(incarnation), version]);

/**
 * Removes the figures: the next event or sync makes them anew.
 * @param incarnation of the batch that was deleted; the figures of a later life stay
 */
export const dropStats = (redis: Redis, batchId: string, incarnation?: string): Promise<boolean> =>
  runScript(redis, DROP, [statsKey(batchId)], [incarnation === undefined ? '' : lifeMs(incarnation)]);
