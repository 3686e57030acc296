import { type ErrorCode, errorBody, RefusedError } from '../../../contracts/errors.ts';
import { shortened } from '../row-findings.ts';

/** A source that cannot be read as a whole: the import ends, the table stays as it was. */
export function refuseSource(
  message: string,
  value: unknown,
  expected: string,
  { field = 'source', code = 'invalid' }: { field?: string; code?: ErrorCode } = {},
): RefusedError {
  const shown = typeof value === 'string' ? shortened(value) : value;
  return new RefusedError(errorBody(code, message, [{ field, value: shown, expected }]));
}
