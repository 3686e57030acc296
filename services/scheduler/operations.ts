import type { Static } from 'typebox';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import type { ScheduleInput, SchedulePatch } from '../../contracts/schedule.ts';
import type { SCHEDULE_COMMANDS, ScheduleVerb } from '../../contracts/schedule-api.ts';
import { contentHash } from '../../lib/hash/content-hash.ts';
import { endedRuns } from './ended-runs.ts';
import { findStream } from './find-stream.ts';
import { nextDueIn } from './plan.ts';
import {
  type Change,
  type Changed,
  type ChangeMeta,
  cancel,
  newSchedule,
  pause,
  resume,
  runNow,
  update,
} from './pure/change.ts';
import { decidedBefore } from './pure/draft.ts';
import type { ScheduleDefinition, ScheduleDocument } from './schedule-document.ts';
import { type SchedulerDeps, type Step, transact } from './transact.ts';
import { scheduleFindings, type ValidateDeps } from './validate.ts';

export type OperationDeps = SchedulerDeps & ValidateDeps;
type Body<V extends ScheduleVerb> = Static<(typeof SCHEDULE_COMMANDS)[V]>;

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 } as const;

/** @throws RefusedError `invalid` with every finding; `already-exists` for another schedule under the ID. */
export async function createSchedule(
  deps: OperationDeps,
  id: string,
  body: Body<'create'>,
): Promise<ScheduleDocument> {
  const schedule = body.schedule as ScheduleInput;
  const createHash = contentHash({ schedule, paused: body.paused ?? false });
  const nowMs = deps.now();
  const doc = await transact(deps, id, async (before) => {
    if (before && before.state !== 'cancelled') {
      // Its timer may never have been armed: the first try has died in between.
      if (before.createHash === createHash) return { again: [] };
      throw new RefusedError(errorBody('already-exists', `Schedule ${id} exists with another definition.`));
    }
    refuseFindings(await scheduleFindings(deps, id, schedule, nowMs));
    const { in: after, ...given } = schedule;
    const definition: ScheduleDefinition =
      after === undefined ? given : { ...given, at: new Date(nowMs + durationMs(after)).toISOString() };
    const stream = await streamOf(deps, definition);
    const change = await changeOf(deps, undefined, definition, body);
    return stepOf(
      newSchedule(id, definition, { createHash, paused: body.paused ?? false, stream, before }, change),
    );
  });
  return doc!;
}

/** @throws RefusedError */
export async function updateSchedule(
  deps: OperationDeps,
  id: string,
  body: Body<'update'>,
): Promise<ScheduleDocument> {
  return change(deps, id, body, async (before) => {
    const definition = patched(before.definition, body.patch as SchedulePatch);
    const unchangedTime = definition.at === before.definition.at;
    const findings = await scheduleFindings(deps, id, definition, deps.now());
    refuseFindings(unchangedTime ? findings.filter(({ field }) => field !== 'at') : findings);
    const stream = await streamOf(deps, definition);
    return update(before, definition, stream, await changeOf(deps, before, definition, body));
  });
}

/** @throws RefusedError */
export function changeState(
  deps: OperationDeps,
  id: string,
  verb: 'pause' | 'resume' | 'cancel',
  body: Body<'pause'>,
): Promise<ScheduleDocument> {
  const rule = { pause, resume, cancel }[verb];
  return change(deps, id, body, async (before) =>
    rule(before, await changeOf(deps, before, before.definition, body)),
  );
}

/**
 * @param cause makes a repeated request the same run
 * @param atMs when it was asked for
 * @throws RefusedError
 */
export function runSchedule(
  deps: OperationDeps,
  id: string,
  body: Body<'run'>,
  { cause, atMs }: { cause: string; atMs: number },
): Promise<ScheduleDocument> {
  return change(deps, id, body, async (before) =>
    decidedBefore(before, cause) ? { kind: 'again', cause } : runNow(before, cause, atMs, body, deps.now()),
  );
}

async function change(
  deps: OperationDeps,
  id: string,
  { expectedVersion }: { expectedVersion?: number },
  rule: (before: ScheduleDocument) => Promise<Changed | { kind: 'again'; cause: string }>,
): Promise<ScheduleDocument> {
  const doc = await transact(deps, id, async (before) => {
    if (!before) throw notFound(id);
    if (expectedVersion !== undefined && expectedVersion !== before.version) {
      throw new RefusedError(
        errorBody('version-conflict', `Schedule ${id} has version ${before.version}.`, [
          { field: 'expectedVersion', value: expectedVersion, expected: String(before.version) },
        ]),
      );
    }
    const changed = await rule(before);
    return changed.kind === 'again' ? { again: [changed.cause] } : stepOf(changed);
  });
  return doc!;
}

export const notFound = (id: string): RefusedError =>
  new RefusedError(
    errorBody('not-found', `There is no schedule ${id}.`, [
      { field: 'id', value: id, expected: 'the ID of a schedule' },
    ]),
  );

function stepOf(changed: Changed): Step {
  switch (changed.kind) {
    case 'changed':
      return changed;
    case 'unchanged':
      return { again: [] };
    case 'refused':
      throw new RefusedError(changed.error);
  }
}

async function changeOf(
  deps: OperationDeps,
  before: ScheduleDocument | undefined,
  definition: ScheduleDefinition,
  meta: ChangeMeta,
): Promise<Change> {
  const nowMs = deps.now();
  const ended = before ? ((await endedRuns(deps.store, [before], nowMs)).get(before._id) ?? []) : [];
  return {
    meta,
    facts: { nowMs, nextDue: nextDueIn(definition), ended },
    dueBefore: nextDueIn(before?.definition ?? definition),
  };
}

/** Looked up once, when the target is set: a fire has no time for it. */
async function streamOf(
  { nats }: SchedulerDeps,
  { target }: ScheduleDefinition,
): Promise<string | null | undefined> {
  return target.kind === 'publish' ? findStream(nats.jsm, target.subject) : undefined;
}

function refuseFindings(findings: Awaited<ReturnType<typeof scheduleFindings>>): void {
  if (findings.length === 0) return;
  throw new RefusedError(errorBody('invalid', 'The schedule does not hold.', findings));
}

/** `at` and `cron` take each other's place. */
function patched(definition: ScheduleDefinition, patch: SchedulePatch): ScheduleDefinition {
  const base = { ...definition };
  if (patch.cron) delete base.at;
  if (patch.at) delete base.cron;
  const entries = Object.entries({ ...base, ...patch }).filter(([, value]) => value !== null);
  return Object.fromEntries(entries) as unknown as ScheduleDefinition;
}

export const durationMs = (text: string): number =>
  Number(text.slice(0, -1)) * UNITS[text.at(-1) as keyof typeof UNITS];
