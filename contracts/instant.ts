import Type from 'typebox';

/**
 * RFC 3339 allows a 60th second and JavaScript's clock has none: `Date.parse` gives NaN, which is smaller than no time and
 * would switch off every deadline it is compared with.
 */
export const INSTANT_PATTERN = '^[^:]+:[0-5][0-9]:[0-5][0-9][^0-9]';

/** A moment, with its offset. */
export const instant = (description: string) =>
  Type.String({ format: 'date-time', pattern: INSTANT_PATTERN, description });
