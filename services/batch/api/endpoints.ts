import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Static } from 'typebox';
import { ulid } from 'ulid';
import {
  BATCH_ANSWERS,
  type BatchesDeleted,
  type DryRunAnswer,
  type DryRunReport,
  RecipientAnswer,
} from '../../../contracts/batch-answers.ts';
import { BATCH_API, type BatchView, RecipientGet } from '../../../contracts/batch-api.ts';
import { errorBody, RefusedError } from '../../../contracts/errors.ts';
import { lifeId } from '../../../contracts/ids.ts';
import { isFinal, stateName } from '../../../contracts/states.ts';
import type { CommandClient } from '../../../lib/batch/command-client.ts';
import { gatherFacts } from '../../../lib/batch/gather-facts.ts';
import { findingsOf } from '../../../lib/batch/validate-definition.ts';
import { type ApiEndpoint, endpoint, type RequestMeta } from '../../../lib/nats/micro.ts';
import { readFigures, readStatus, type StatusDeps } from '../../../lib/stats/read-status.ts';
import type { BatchDocument } from '../../../lib/store/batch-document.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { findingsFor } from '../gather.ts';
import { viewOf } from '../view.ts';
import { findBatch } from './find-batch.ts';
import { listBatches } from './list-batches.ts';
import type { LoadShedding } from './load-shedding.ts';
import { getRecipient, listRecipients } from './recipients.ts';
import { reconcile } from './reconcile.ts';
import { totals } from './totals.ts';
import { waitFor } from './wait.ts';

export interface BatchApiDeps {
  nc: NatsConnection;
  jsm: JetStreamManager;
  store: Store;
  commands: CommandClient;
  shedding: LoadShedding;
  status: StatusDeps;
}

/** Verbs that are a command to one batch and answer after its turn. */
const COMMAND_VERBS = ['update', 'start', 'pause', 'resume', 'retry', 'clone', 'abort'] as const;

/** `sms.api.batch.*` and `sms.api.recipient.get`. */
export function batchEndpoints(deps: BatchApiDeps): ApiEndpoint[] {
  const { nc, jsm, store, commands, shedding, status } = deps;
  const batch = <V extends keyof typeof BATCH_API>(
    verb: V,
    handler: (body: Static<(typeof BATCH_API)[V]>, meta: RequestMeta) => Promise<object>,
  ): ApiEndpoint =>
    endpoint({
      noun: 'batch',
      verb,
      description: (BATCH_API[verb] as { description?: string }).description ?? verb,
      request: BATCH_API[verb],
      response: BATCH_ANSWERS[verb],
      handler,
    });

  return [
    batch('create', async ({ id, ...body }, meta) => {
      shedding.refuseNewWork();
      return commands.send(id ?? ulid(), 'create', body, meta);
    }),
    ...COMMAND_VERBS.map((verb) =>
      batch(verb, async ({ id, ...body }, meta) => {
        if (verb === 'start') shedding.refuseNewWork();
        return commands.send(id, verb, body, meta);
      }),
    ),
    batch('get', async ({ id, history = true }) => shown(await findBatch(store, id), history)),
    batch('list', (query) => listBatches(store, status, query)),
    batch('delete', ({ id, ids, ...body }, meta) =>
      deleteMany([...(id ? [id] : []), ...(ids ?? [])], body, meta),
    ),
    batch('reconcile', (request, meta) => reconcile({ jsm, store, commands }, request, meta)),
    batch('validate', async (request) => ({ findings: await findings(request) })),
    batch('dry-run', dryRun),
    batch('status', ({ id }) => readStatus(status, id)),
    batch('progress', ({ id }) => readStatus(status, id)),
    batch('wait', async (request, { signal }) => shown(await waitFor({ nc, store }, request, signal))),
    batch('recipients', (request) => listRecipients(store, request)),
    batch('totals', (query) => totals(store, query)),
    endpoint({
      noun: 'recipient',
      verb: 'get',
      description: 'What happened to one number, with its history.',
      request: RecipientGet,
      response: RecipientAnswer,
      handler: (request) => getRecipient(store, request),
    }),
  ];

  async function shown(doc: BatchDocument, history = false): Promise<BatchView> {
    return viewOf(doc, { history, figures: await readFigures(status, doc) });
  }

  async function deleteMany(
    ids: string[],
    body: Record<string, unknown>,
    meta: RequestMeta,
  ): Promise<BatchView | BatchesDeleted> {
    if (ids.length === 0) {
      const finding = { field: 'id', value: undefined, expected: 'id, or ids' };
      throw new RefusedError(errorBody('invalid-body', 'Which batch is to be deleted?', [finding]));
    }
    if (ids.length === 1) return commands.send(ids[0]!, 'delete', body, meta);
    const deleted: string[] = [];
    const refused: BatchesDeleted['refused'] = [];
    for (const id of ids) {
      try {
        await commands.send(id, 'delete', body, meta);
        deleted.push(id);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        refused.push({ id, error: error.body });
      }
    }
    return { deleted, refused };
  }

  async function findings({ id, batch: input }: Static<typeof BATCH_API.validate>) {
    if (id !== undefined) return findingsFor(store, await findBatch(store, id), Date.now());
    if (!input) {
      const finding = { field: 'id', value: undefined, expected: 'id, or batch' };
      throw new RefusedError(errorBody('invalid-body', 'What is to be checked?', [finding]));
    }
    const { recipients, ...definition } = input;
    const facts = { definition, ...(recipients && { inline: recipients }), started: false, dryRun: false };
    return findingsOf(definition, await gatherFacts(store, facts, Date.now()));
  }

  /** Makes the shadow batch, waits for its end, and answers with its report. */
  async function dryRun(
    { id, timeoutMs = 60_000, ...body }: { id: string; timeoutMs?: number },
    meta: RequestMeta,
  ): Promise<DryRunAnswer> {
    const childId = `${id.slice(0, 40)}-dry-${ulid().slice(-10)}`;
    await commands.send(id, 'dry-run', { ...body, childId }, meta);
    // Its create may still be on the way: the parent's outbox has published it before it answered.
    const shadow = await waitFor({ nc, store }, { id: childId, timeoutMs }, meta.signal);
    const report = await store.reports.findOne<DryRunReport>(
      { _id: lifeId(childId, shadow.incarnation) },
      { projection: { _id: 0, batchId: 0, version: 0, tasks: 0, createdAt: 0 } },
    );
    return {
      dryRunId: childId,
      state: stateName(shadow.state),
      ...(shadow.reason && { reason: shadow.reason }),
      ...(isFinal(shadow.state) && { counts: viewOf(shadow).counts }),
      report,
    };
  }
}
