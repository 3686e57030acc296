/** SMPP 3.4 §7.1.1: absolute `YYMMDDhhmmsstnnp`, relative `YYMMDDhhmmss000R`. */

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** The absolute form in UTC, to a tenth of a second. Years 2000 to 2099. */
export function absoluteTime(epochMs: number): string {
  const date = new Date(epochMs);
  const year = date.getUTCFullYear();
  if (!(year >= 2000 && year <= 2099)) {
    throw new RangeError(
      `time is ${Number.isNaN(epochMs) ? epochMs : date.toISOString()}, expected the years 2000 to 2099`,
    );
  }
  const day = two(year % 100) + two(date.getUTCMonth() + 1) + two(date.getUTCDate());
  const time = two(date.getUTCHours()) + two(date.getUTCMinutes()) + two(date.getUTCSeconds());
  return `${day}${time}${Math.floor(date.getUTCMilliseconds() / 100)}00+`;
}

const maxRelativeSeconds = 99 * 86_400 + 86_399;

/**
 * The relative form, in days, hours, minutes and seconds: months and years have no fixed length. Up to 99 days; longer
 * is more than any SMSC keeps a message.
 */
export function relativeTime(seconds: number): string {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > maxRelativeSeconds) {
    throw new RangeError(`seconds is ${seconds}, expected an integer from 0 to ${maxRelativeSeconds}`);
  }
  const days = Math.floor(seconds / 86_400);
  const rest = seconds % 86_400;
  return `0000${two(days)}${two(Math.floor(rest / 3600))}${two(Math.floor((rest % 3600) / 60))}${two(rest % 60)}000R`;
}

/** Either form to epoch milliseconds, relative ones from `nowMs`; undefined for what is neither, or empty. */
export function parseTime(text: string, nowMs: number): number | undefined {
  const match = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([-+R])$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second, tenth, quarters] = match.slice(1, 9).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (match[9] === 'R') {
    const date = new Date(nowMs);
    date.setUTCFullYear(date.getUTCFullYear() + year, date.getUTCMonth() + month, date.getUTCDate() + day);
    return date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
  }
  const local = Date.UTC(2000 + year, month - 1, day, hour, minute, second, tenth * 100);
  // p tells that the local time is ahead (+) of UTC or behind it by so many quarter hours.
  return local - (match[9] === '+' ? 1 : -1) * quarters * 900_000;
}
