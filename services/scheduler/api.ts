import type { Static } from 'typebox';
import { ulid } from 'ulid';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import type { ScheduleInput } from '../../contracts/schedule.ts';
import {
  PreviewAnswer,
  RunAnswer,
  SCHEDULE_API,
  ScheduleListAnswer,
  ScheduleView,
} from '../../contracts/schedule-api.ts';
import { STREAMS, scheduleCommandSubject } from '../../contracts/subjects.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { type ApiEndpoint, endpoint, type RequestMeta } from '../../lib/nats/micro.ts';
import {
  changeState,
  createSchedule,
  durationMs,
  notFound,
  type OperationDeps,
  updateSchedule,
} from './operations.ts';
import { decidedBefore } from './pure/draft.ts';
import type { ScheduleDocument } from './schedule-document.ts';
import { scheduleFindings } from './validate.ts';
import { plannedRuns, runView, viewOf } from './view.ts';

const noun = 'schedule';
const DEFAULT_LIMIT = 50;
const RUN_WITHIN_MS = 12_000;
const LOOK_EVERY_MS = 50;

/** `sms.api.schedule.*` */
export function scheduleEndpoints(deps: OperationDeps): ApiEndpoint[] {
  const describe = (verb: keyof typeof SCHEDULE_API) =>
    (SCHEDULE_API[verb] as { description?: string }).description ?? verb;
  const find = async (id: string): Promise<ScheduleDocument> => {
    const doc = await deps.schedules.findOne({ _id: id });
    if (!doc) throw notFound(id);
    return doc;
  };
  const changes = (['pause', 'resume', 'cancel'] as const).map((verb) =>
    endpoint({
      noun,
      verb,
      description: describe(verb),
      request: SCHEDULE_API[verb],
      response: ScheduleView,
      handler: async ({ id, ...body }, { requestId }) =>
        viewOf(await changeState(deps, id, verb, { ...body, requestId })),
    }),
  );
  return [
    endpoint({
      noun,
      verb: 'create',
      description: describe('create'),
      request: SCHEDULE_API.create,
      response: ScheduleView,
      handler: async ({ id, ...body }, { requestId }) =>
        viewOf(await createSchedule(deps, id ?? ulid(), { ...body, requestId })),
    }),
    endpoint({
      noun,
      verb: 'update',
      description: describe('update'),
      request: SCHEDULE_API.update,
      response: ScheduleView,
      handler: async ({ id, ...body }, { requestId }) =>
        viewOf(await updateSchedule(deps, id, { ...body, requestId })),
    }),
    ...changes,
    endpoint({
      noun,
      verb: 'get',
      description: describe('get'),
      request: SCHEDULE_API.get,
      response: ScheduleView,
      handler: async ({ id }) => viewOf(await find(id)),
    }),
    endpoint({
      noun,
      verb: 'list',
      description: describe('list'),
      request: SCHEDULE_API.list,
      response: ScheduleListAnswer,
      handler: (request) => list(deps, request),
    }),
    endpoint({
      noun,
      verb: 'run',
      description: describe('run'),
      request: SCHEDULE_API.run,
      response: RunAnswer,
      handler: async ({ id, ...request }, meta) => {
        const { state } = await find(id);
        if (state === 'cancelled') {
          throw new RefusedError(
            errorBody('state-forbids', `Schedule ${id} is cancelled.`, [
              { field: 'state', value: state, expected: 'active, paused or done' },
            ]),
          );
        }
        return run(id, request, meta);
      },
    }),
    endpoint({
      noun,
      verb: 'preview',
      description: describe('preview'),
      request: SCHEDULE_API.preview,
      response: PreviewAnswer,
      handler: preview,
    }),
  ];

  /** A command of the stream, so that a crash after the decision cannot leave the run unpublished. */
  async function run(
    id: string,
    { wait, timeoutMs, ...body }: Omit<Static<typeof SCHEDULE_API.run>, 'id'>,
    { requestId, headers, signal }: RequestMeta,
  ): Promise<RunAnswer> {
    await deps.publisher.publish({
      subject: scheduleCommandSubject(id, 'run'),
      stream: STREAMS.schedules,
      msgId: `run:${id}:${requestId}`,
      body: { ...body, requestId },
      headers,
    });
    const until = performance.now() + (timeoutMs ?? (wait ? 60_000 : RUN_WITHIN_MS));
    while (performance.now() < until && !signal.aborted) {
      const doc = await find(id);
      const found = decidedBefore(doc, runCause(requestId)) && ofRequest(doc, requestId);
      if (found && (!wait || found.outcome !== 'started')) return { id, run: runView(found) };
      await sleep(LOOK_EVERY_MS, signal);
    }
    throw new RefusedError(errorBody('timeout', `The run of ${id} is stored; it has not ended in time.`));
  }

  async function preview({ id, schedule, count = 10, from }: Static<typeof SCHEDULE_API.preview>) {
    const nowMs = deps.now();
    const afterMs = from === undefined ? nowMs : Date.parse(from);
    if (schedule) {
      const { in: after, ...definition } = schedule as ScheduleInput;
      const findings = await scheduleFindings(deps, id ?? 'preview', schedule as ScheduleInput, nowMs);
      if (findings.length > 0) {
        throw new RefusedError(errorBody('invalid', 'The schedule does not hold.', findings));
      }
      const at = after === undefined ? {} : { at: new Date(nowMs + durationMs(after)).toISOString() };
      return {
        runs: plannedRuns(id ?? 'preview', { ...definition, ...at }, afterMs, count, definition.maxRuns),
      };
    }
    if (id === undefined) {
      const finding = { field: 'id', value: undefined, expected: 'id, or schedule' };
      throw new RefusedError(errorBody('invalid-body', 'Of which schedule?', [finding]));
    }
    const doc = await find(id);
    if (!doc.next) return { runs: [] };
    const left = doc.definition.maxRuns === undefined ? undefined : doc.definition.maxRuns - doc.started;
    return { runs: plannedRuns(id, doc.definition, Math.max(afterMs, doc.next.dueAt - 1), count, left) };
  }
}

/** Cause of a run by hand: the same request is the same run. */
export const runCause = (requestId: string): string => `run:${requestId}`;

const ofRequest = (doc: ScheduleDocument, requestId: string) =>
  doc.runs.findLast((run) => run.requestId === requestId);

async function list({ schedules }: OperationDeps, request: Static<typeof SCHEDULE_API.list>) {
  const { state, limit = DEFAULT_LIMIT, cursor } = request;
  const found = await schedules
    .find({
      ...(state !== undefined && { state }),
      ...(cursor !== undefined && { _id: { $gt: cursor } }),
    })
    .sort({ _id: 1 })
    .limit(limit + 1)
    .batchSize(limit + 1)
    .toArray();
  const shown = found.slice(0, limit);
  return {
    schedules: shown.map((doc) => viewOf(doc, 1)),
    ...(found.length > limit && { nextCursor: shown.at(-1)!._id }),
  };
}
