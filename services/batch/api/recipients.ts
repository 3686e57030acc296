import type { Static } from 'typebox';
import type { RecipientAnswer, RecipientList } from '../../../contracts/batch-answers.ts';
import type { BATCH_API, RecipientGet } from '../../../contracts/batch-api.ts';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { eachRecipient, type Recipient } from '../../../lib/batch/each-recipient.ts';
import { findRecipient } from '../../../lib/batch/find-recipient.ts';
import { normaliseMsisdn } from '../../../lib/phone/normalise.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { findBatch } from './find-batch.ts';

const DEFAULT_LIMIT = 500;

const iso = (ms: number): string => new Date(ms).toISOString();

function shown({ atMs, receipt, waiting, ...recipient }: Recipient) {
  return {
    ...recipient,
    ...(atMs !== undefined && { at: iso(atMs) }),
    ...(receipt && {
      receipt: {
        state: receipt.state,
        error: receipt.error,
        ...(receipt.atMs !== undefined && { at: iso(receipt.atMs) }),
      },
    }),
    ...(waiting && { waiting: { attempts: waiting.attempts, notBefore: iso(waiting.notBefore) } }),
  };
}

export async function listRecipients(
  store: Store,
  request: Static<typeof BATCH_API.recipients>,
): Promise<RecipientList> {
  const doc = await findBatch(store, request.id);
  const limit = request.limit ?? DEFAULT_LIMIT;
  const life = { batchId: doc._id, incarnation: doc.incarnation };
  const from = request.cursor === undefined ? undefined : parseCursor(request.cursor);
  const recipients: Recipient[] = [];
  for await (const recipient of eachRecipient(store, life, {
    ...(request.outcomes && { outcomes: request.outcomes }),
    ...(from && { from }),
  })) {
    if (recipients.length === limit) {
      const nextCursor = `${recipient.chunk}.${recipient.position}`;
      return { recipients: recipients.map(shown), nextCursor };
    }
    recipients.push(recipient);
  }
  return { recipients: recipients.map(shown) };
}

function parseCursor(cursor: string): { chunk: number; position: number } {
  const match = /^(\d{1,9})\.(\d{1,4})$/.exec(cursor);
  if (match) return { chunk: Number(match[1]), position: Number(match[2]) };
  throw new RefusedError(
    errorBody('invalid-body', 'The cursor is not one of ours.', [
      { field: 'cursor', value: cursor, expected: 'the nextCursor of a page' },
    ]),
  );
}

/** What happened to one number in one batch. */
export async function getRecipient(
  store: Store,
  { batchId, msisdn }: Static<typeof RecipientGet>,
): Promise<RecipientAnswer> {
  const doc = await findBatch(store, batchId);
  const normal = normaliseMsisdn(msisdn, doc.definition.defaultCountry);
  const digits = normal.ok ? normal.msisdn : (withPlus(msisdn) ?? refuse(msisdn, normal.reason));
  const found = await findRecipient(store, { batchId: doc._id, incarnation: doc.incarnation }, digits);
  if (found.length === 0) {
    throw new RefusedError(
      errorBody('not-found', `+${digits} is not (yet) among the prepared recipients of ${batchId}.`, [
        { field: 'msisdn', value: msisdn, expected: 'a recipient of the batch' },
      ]),
    );
  }
  // The first is the one that is sent to; the others are its duplicates.
  const [first, ...duplicates] = found.map(({ text, segments, encoding, ...rest }) => ({
    ...shown(rest),
    text,
    segments,
    encoding,
  }));
  return { batchId, msisdn: `+${digits}`, ...first!, duplicates: duplicates.length };
}

/** Digits of a full number without its plus, as the carrier shows them. */
function withPlus(msisdn: string): string | undefined {
  const again = normaliseMsisdn(`+${msisdn.trim()}`);
  return again.ok ? again.msisdn : undefined;
}

function refuse(msisdn: string, reason: string): never {
  throw new RefusedError(
    errorBody('invalid-body', 'The number is not valid.', [
      { field: 'msisdn', value: msisdn, expected: reason },
    ]),
  );
}
