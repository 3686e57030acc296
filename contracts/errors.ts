import Type, { type Static } from 'typebox';

/** One finding: which field, what stood there, and what is accepted. */
export const Finding = Type.Object(
  {
    field: Type.String({ description: 'Path of the field, as `recipients/3/phone` or `steps/0`.' }),
    // JSON has no undefined: what is missing leaves its finding without a value.
    value: Type.Optional(
      Type.Unknown({ description: 'What stood there, shortened when long; absent where nothing stood.' }),
    ),
    expected: Type.String({ description: 'What is accepted, in words.' }),
  },
  { additionalProperties: false },
);
export type Finding = Static<typeof Finding>;

/** Every code an error can carry, with what it means and the HTTP status of its kind. */
export const ERROR_CODES = {
  'invalid-json': { status: 400, meaning: 'The body is not a JSON object.' },
  'invalid-body': { status: 400, meaning: 'The body does not fit its schema; `errors` names each field.' },
  'body-too-large': { status: 413, meaning: 'The body is larger than the limit.' },
  'invalid-batch-id': { status: 400, meaning: 'The batch ID is not a subject token of 1 to 64 characters.' },
  'unknown-verb': { status: 400, meaning: 'There is no such command.' },
  'not-found': { status: 404, meaning: 'There is no batch, table, recipient, rule or letter of that name.' },
  'already-exists': { status: 409, meaning: 'The ID is taken by a batch or table with another definition.' },
  deleted: { status: 410, meaning: 'The batch was deleted; its ID is free again later.' },
  'state-forbids': { status: 409, meaning: 'The state the batch is in does not allow this command.' },
  'version-conflict': { status: 409, meaning: 'The batch has another version than the one expected.' },
  'field-frozen': { status: 409, meaning: 'The field cannot change any more in this state.' },
  invalid: { status: 422, meaning: 'The configuration does not hold; `errors` has every finding.' },
  overloaded: { status: 503, meaning: 'The command stream is more than half full; try again later.' },
  unavailable: { status: 503, meaning: 'A server that is needed does not answer; try again later.' },
  timeout: { status: 504, meaning: 'The command was stored, but its turn did not come in time.' },
  internal: { status: 500, meaning: 'A fault of ours; it is in the log under the request ID.' },
} as const satisfies Record<string, { status: number; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The one shape of an error: in rejected events, NATS micro answers and problem+json alike. */
export const ErrorBody = Type.Object(
  {
    code: Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[]),
    message: Type.String(),
    errors: Type.Array(Finding),
  },
  { additionalProperties: false },
);
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  errors: Finding[];
}

export const errorBody = (code: ErrorCode, message: string, errors: Finding[] = []): ErrorBody => ({
  code,
  message,
  errors,
});

/** Thrown where a request or command cannot be obeyed; carries what the caller is told. */
export class RefusedError extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(`${body.code}: ${body.message}`);
    this.name = 'RefusedError';
    this.body = body;
  }
}
