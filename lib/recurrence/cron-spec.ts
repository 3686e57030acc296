import { CronExpressionParser } from 'cron-parser';
import type { Finding } from '../../contracts/errors.ts';

const FIELDS = [
  ['second', '0-59'],
  ['minute', '0-59'],
  ['hour', '0-23'],
  ['day of the month', '1-31 or L'],
  ['month', '1-12 or JAN-DEC'],
  ['day of the week', '0-7 or SUN-SAT'],
] as const;

const SIX = 'six fields: second minute hour day month weekday, as 0 30 9 * * 1-5';

/** A cron in wall-clock time: it knows neither zone nor clock changes. */
export interface CronSpec {
  /** Every hour of the day runs: what is meant is a rhythm, not a time of day. */
  everyHour: boolean;
  /** Wall-clock times after `afterMs` in order, as if they were UTC. */
  walls(afterMs: number): Generator<number, void>;
}

type ParsedCron = { ok: true; spec: CronSpec } | { ok: false; findings: Finding[] };

/** The spec, or which of its fields is wrong and what is accepted there. */
export function parseCron(cron: string, field = 'cron'): ParsedCron {
  const fields = cron.trim().split(/\s+/);
  const no = (expected: string, value = cron): ParsedCron => ({
    ok: false,
    findings: [{ field, value, expected }],
  });
  if (fields.length !== FIELDS.length) return no(`${SIX}; this has ${fields.length}`);
  if (fields.some((each) => /h/i.test(each.replaceAll(/thu|mar(ch)?|march/gi, '')))) {
    return no('no H: a jitter spreads runs, and a time drawn at random is another at each start');
  }
  const findings = fields.flatMap((text, index): Finding[] => {
    const [name, range] = FIELDS[index]!;
    const alone: string[] = ['0', '0', '0', '*', '*', '*'];
    alone[index] = text;
    const problem = problemOf(alone.join(' '));
    return problem === undefined
      ? []
      : [{ field, value: cron, expected: `${name} of ${range}, with * , - and /; not ${text} (${problem})` }];
  });
  if (findings.length > 0) return { ok: false, findings };
  const problem = problemOf(fields.join(' '));
  if (problem !== undefined) {
    const both = fields[3] !== '*' && fields[3] !== '?' && fields[5] !== '*' && fields[5] !== '?';
    return no(both ? 'a day of the month or a day of the week, not both' : problem);
  }
  const parsed = parse(fields.join(' '), 0);
  return {
    ok: true,
    spec: {
      everyHour: parsed.fields.hour.values.length === 24,
      walls: (afterMs) => walls(fields.join(' '), afterMs),
    },
  };
}

const parse = (cron: string, afterMs: number) =>
  CronExpressionParser.parse(cron, { tz: 'UTC', strict: true, currentDate: new Date(afterMs) });

function problemOf(cron: string): string | undefined {
  try {
    parse(cron, 0).next();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function* walls(cron: string, afterMs: number): Generator<number, void> {
  // The library counts in whole seconds, and strictly after.
  const expression = parse(cron, Math.floor(afterMs / 1000) * 1000);
  for (;;) {
    try {
      yield expression.next().getTime();
    } catch {
      // No such day within its horizon, as 30 February.
      return;
    }
  }
}
