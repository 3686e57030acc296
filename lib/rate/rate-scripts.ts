import type { Script } from '../redis/script.ts';
import { adaptation } from './adaptation.ts';

// Redis's own clock: the hosts' clocks differ. Microseconds, which a Lua number holds exactly until the year 2255.
const clock = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
`;

const factorNow = `
local function factor_now(key)
  local stored = redis.call('HMGET', key, 'factor', 'at')
  if not stored[1] then return 1, nil end
  local recovering = math.max(0, now - tonumber(stored[2]) - ${adaptation.holdMs * 1_000})
  return math.min(1, tonumber(stored[1]) + recovering / 1000000 * ${adaptation.recoverPerSecond}), tonumber(stored[2])
end
`;

export interface Reservation {
  granted: boolean;
  /** Microseconds from now: until the start, or until asking again may help. */
  waitUs: number;
  /** Index of the bucket that decided. */
  limiting: number;
  /** Redis's clock, microseconds. */
  nowUs: number;
}

/**
 * gcra.ts's `decide`, in Redis. KEYS: bucket, adaptation, for each. ARGV: cost, maxAheadUs, maxGapUs, then rate, burst
 * ('' for none), adaptive (0 or 1) for each.
 */
export const reserveScript: Script<Reservation> = {
  name: 'smsbatchReserve',
  lua: `${clock}${factorNow}
local cost, max_ahead, max_gap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local start, earliest, limiting = now, math.huge, 0
local rates, untils = {}, {}
for i = 1, #KEYS / 2 do
  local rate, burst = tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2]) or cost
  if ARGV[i * 3 + 3] == '1' then rate = rate * factor_now(KEYS[i * 2]) end
  local stored = redis.call('HMGET', KEYS[i * 2 - 1], 'until', 'rate')
  local tail = tonumber(stored[1] or now)
  if tail > now then tail = now + (tail - now) * tonumber(stored[2]) / rate end
  rates[i], untils[i] = rate, tail
  local at = math.max(now, tail - (math.max(burst, cost) - cost) * 1000000 / rate)
  earliest = math.min(earliest, at)
  if at > start then start, limiting = at, i - 1 end
end
local early = math.max(start - now - max_ahead, start - earliest - max_gap)
if early > 0 then return {0, math.ceil(early), limiting, now} end
for i = 1, #KEYS / 2 do
  local tail = math.max(untils[i], start) + cost * 1000000 / rates[i]
  local key = KEYS[i * 2 - 1]
  redis.call('HSET', key, 'until', string.format('%.0f', tail), 'rate', tostring(rates[i]))
  redis.call('PEXPIRE', key, math.ceil((tail - now) / 1000) + 1000)
end
return {1, math.ceil(start - now), limiting, now}
`,
  parse: (reply) => {
    const [granted, waitUs, limiting, nowUs] = reply as [number, number, number, number];
    return { granted: granted === 1, waitUs, limiting, nowUs };
  },
};

/** adaptation.ts's `decreased`, in Redis. KEYS: adaptation. Answers with the factor now in force. */
export const throttledScript: Script<number> = {
  name: 'smsbatchThrottled',
  lua: `${clock}${factorNow}
local factor, at = factor_now(KEYS[1])
if at and now - at < ${adaptation.decreaseEveryMs * 1_000} then return tostring(factor) end
factor = math.max(${adaptation.leastFactor}, factor * ${adaptation.decreaseBy})
redis.call('HSET', KEYS[1], 'factor', tostring(factor), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ${adaptation.holdMs} + math.ceil((1 - factor) / ${adaptation.recoverPerSecond}) * 1000 + 1000)
return tostring(factor)
`,
  parse: (reply) => Number(reply),
};
