import { type ErrorBody, errorBody } from '../../contracts/errors.ts';
import { MAX_BODY_BYTES } from '../../contracts/streams.ts';

export type JsonBody = { ok: true; body: Record<string, unknown> } | { ok: false; error: ErrorBody };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The body of a command or request. Empty is an empty object: `nats pub sms.cmd.<id>.pause ''` is a pause. */
export function readJsonObject(data: Uint8Array): JsonBody {
  const no = (code: ErrorBody['code'], message: string): JsonBody => ({
    ok: false,
    error: errorBody(code, message),
  });
  if (data.length > MAX_BODY_BYTES) {
    return no('body-too-large', `The body has ${data.length} bytes; at most ${MAX_BODY_BYTES} are taken.`);
  }
  let value: unknown;
  try {
    const text = utf8.decode(data);
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch (error) {
    return no('invalid-json', `The body is not JSON: ${(error as Error).message}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return no('invalid-json', 'The body is JSON, but not an object.');
  }
  return { ok: true, body: value as Record<string, unknown> };
}
