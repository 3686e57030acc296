import type { Redis } from 'ioredis';

/** A Lua script for Redis 6.2 and later. Touches only the keys it is given. */
export interface Script<Result> {
  /** Unique among the scripts of a process. */
  name: string;
  lua: string;
  /** From what Redis answers (numbers are whole, nil is null) to what the caller wants. */
  parse: (reply: unknown) => Result;
}

type Argument = string | number;

/** Runs it by its hash; the text is sent only to a Redis that does not know it, e.g. after a flush or a restart. */
export async function runScript<Result>(
  redis: Redis,
  script: Script<Result>,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<Result> {
  const commands = redis as unknown as Record<string, (...rest: Argument[]) => Promise<unknown>>;
  if (!(script.name in commands)) redis.defineCommand(script.name, { lua: script.lua });
  const reply = await commands[script.name]?.call(redis, keys.length, ...keys, ...args);
  return script.parse(reply);
}
