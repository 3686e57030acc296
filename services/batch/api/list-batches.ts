import type { Filter } from 'mongodb';
import type { Static } from 'typebox';
import type { BatchList } from '../../../contracts/batch-answers.ts';
import type { BATCH_API } from '../../../contracts/batch-api.ts';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { PHASE_STATUSES, phaseName } from '../../../contracts/states.ts';
import { cachedFigures, type StatusDeps } from '../../../lib/stats/read-status.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { viewOf } from '../view.ts';

type Query = Static<typeof BATCH_API.list>;

const DEFAULT_LIMIT = 50;

/** Newest first; the cursor is the place of the last one shown, so that pages stay right while batches come. */
export async function listBatches(store: Store, status: StatusDeps, query: Query): Promise<BatchList> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const filter: Filter<BatchDocument> = { deletedAt: { $exists: false }, ...filterOf(query) };
  const after = query.cursor === undefined ? undefined : parseCursor(query.cursor);
  const page = after
    ? {
        $and: [
          filter,
          {
            $or: [
              { createdAt: { $lt: after.createdAt } },
              { createdAt: after.createdAt, _id: { $gt: after.id } },
            ],
          },
        ],
      }
    : filter;
  const found = await store.batches
    .find(page as Filter<BatchDocument>, { projection: { outbox: 0, history: 0 } })
    .sort({ createdAt: -1, _id: 1 })
    .limit(limit + 1)
    .batchSize(limit + 1)
    .toArray();
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  // All of a page travel in one round trip to Redis; without it the actors' own sums have to do.
  const figures = await Promise.all(shown.map((doc) => cachedFigures(status, doc)));
  return {
    batches: shown.map((doc, i) => viewOf(doc, { figures: figures[i] })),
    ...(found.length > limit && last && { nextCursor: cursorOf(last) }),
  };
}

function filterOf(query: Query): Filter<BatchDocument> {
  const { userID, scope, campaignID, name, createdFrom, createdTo, state, dryRuns } = query;
  return {
    ...(userID !== undefined && { 'definition.userID': userID }),
    ...(scope !== undefined && { 'definition.scope': scope }),
    ...(campaignID !== undefined && { 'definition.campaignID': campaignID }),
    // A range, not a pattern: it walks the index, and nothing in a name is special.
    ...(name !== undefined && { 'definition.name': { $gte: name, $lt: `${name}\uffff` } }),
    ...((createdFrom !== undefined || createdTo !== undefined) && {
      createdAt: {
        ...(createdFrom !== undefined && { $gte: Date.parse(createdFrom) }),
        ...(createdTo !== undefined && { $lt: Date.parse(createdTo) }),
      },
    }),
    ...(state !== undefined && stateFilter(state)),
    ...(!dryRuns && { dryRun: { $ne: true } }),
  };
}

function stateFilter(state: string): Filter<BatchDocument> {
  const status = PHASE_STATUSES.find((each) => state.endsWith(each) && state.length > each.length);
  if (!status) return { 'state.status': state as BatchDocument['state']['status'] };
  const phase = state.slice(0, -status.length);
  const stepType = phase.replaceAll(/(?!^)([A-Z])/g, '-$1').toLowerCase();
  if (phaseName(stepType) !== phase) {
    throw new RefusedError(
      errorBody('invalid-body', 'There is no such state.', [
        { field: 'state', value: state, expected: 'a state as DeliveryRunning, or a status as Running' },
      ]),
    );
  }
  return { 'state.phase': stepType, 'state.status': status };
}

const cursorOf = (doc: BatchDocument): string =>
  Buffer.from(JSON.stringify([doc.createdAt, doc._id])).toString('base64url');

function parseCursor(cursor: string): { createdAt: number; id: string } {
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (typeof createdAt === 'number' && typeof id === 'string') return { createdAt, id };
  } catch {
    // Falls through to the refusal.
  }
  throw new RefusedError(
    errorBody('invalid-body', 'The cursor is not one of ours.', [
      { field: 'cursor', value: cursor, expected: 'the nextCursor of a page' },
    ]),
  );
}
