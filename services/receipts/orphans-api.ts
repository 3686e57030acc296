import type { Db } from 'mongodb';
import {
  OrphansAnswer as Answer,
  type OrphanReceipt,
  type OrphansAnswer,
  RECEIPT_API,
} from '../../contracts/receipt-api.ts';
import { type ApiEndpoint, endpoint } from '../../lib/nats/micro.ts';
import { listOrphans, type ParkedReceipt } from '../../lib/receipts/parked.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

const shown = ({ provider, receipt, parkedAt, attempts, nextTryAtMs }: ParkedReceipt): OrphanReceipt => ({
  provider,
  messageId: receipt.messageId,
  msisdn: receipt.msisdn,
  state: receipt.state,
  ...(receipt.error !== undefined && { error: receipt.error }),
  receivedAt: iso(receipt.atMs),
  parkedAt: parkedAt.toISOString(),
  attempts,
  nextTryAt: iso(nextTryAtMs),
});

/** `sms.api.receipt.orphans`. */
export const orphansEndpoint = (db: Db): ApiEndpoint =>
  endpoint({
    noun: 'receipt',
    verb: 'orphans',
    description: 'Receipts that fit no message of ours',
    request: RECEIPT_API.orphans,
    response: Answer,
    handler: async ({ provider, olderThanSeconds = 60, limit = 100, cursor }): Promise<OrphansAnswer> => {
      const parkedBeforeMs = Date.now() - olderThanSeconds * 1_000;
      const page = await listOrphans(db, { provider, parkedBeforeMs, limit, cursor });
      return { ...page, orphans: page.orphans.map(shown) };
    },
  });
