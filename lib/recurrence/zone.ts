import { Temporal } from 'temporal-polyfill';

/** A zone by an IANA name. Intl also takes `EST`, `+02:00` and names in any case, which others do not. */
export function isZone(name: string): boolean {
  if (name !== 'UTC' && !/^[A-Z][A-Za-z_]+(\/[A-Za-z0-9_+-]+)+$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Offset of a zone from UTC at an instant, ms. */
export const offsetMs = (timeZone: string, atMs: number): number =>
  zoned(timeZone, atMs).offsetNanoseconds / 1_000_000;

/** `2026-03-29T03:30:00+02:00` */
export const localTime = (timeZone: string, atMs: number): string =>
  zoned(timeZone, atMs).toString({ timeZoneName: 'never', smallestUnit: 'second' });

const zoned = (timeZone: string, atMs: number): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone);

/** What a wall-clock time is in a zone: one instant; none, and how much later the clock goes on; or two. */
export type WallInstants =
  | { kind: 'once'; instants: [number] }
  | { kind: 'gap'; shifted: number }
  | { kind: 'repeat'; instants: [first: number, second: number] };

/** @param wallMs the wall-clock time as if it were UTC */
export function instantsOf(timeZone: string, wallMs: number): WallInstants {
  const wall = Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO('UTC').toPlainDateTime();
  const earlier = wall.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const later = wall.toZonedDateTime(timeZone, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) {
    return { kind: 'once', instants: [earlier.epochMilliseconds] };
  }
  if (!earlier.toPlainDateTime().equals(wall)) return { kind: 'gap', shifted: later.epochMilliseconds };
  return { kind: 'repeat', instants: [earlier.epochMilliseconds, later.epochMilliseconds] };
}
