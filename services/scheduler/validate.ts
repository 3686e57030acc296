import { check } from '../../contracts/check.ts';
import type { Finding } from '../../contracts/errors.ts';
import {
  DEFAULT_CATCH_UP_SECONDS,
  type ScheduleInput,
  type ScheduleTarget,
  TARGETS,
} from '../../contracts/schedule.ts';
import { resolveChain } from '../../lib/batch/chain.ts';
import { templateFindings } from '../../lib/batch/template-findings.ts';
import { parseCron } from '../../lib/recurrence/cron-spec.ts';
import { isZone } from '../../lib/recurrence/zone.ts';
import { readStepTypes } from '../../lib/steps/step-types.ts';
import type { Store } from '../../lib/store/collections.ts';
import { nextDueOf } from './plan.ts';
import { allowsSubject } from './publish-subjects.ts';
import { runIdOf } from './pure/start-run.ts';
import type { TaskTypes } from './tasks/task-type.ts';

export interface ValidateDeps {
  store: Store;
  /** Subjects that a schedule may publish to. */
  subjects: readonly string[];
  tasks: TaskTypes;
}

/** Everything that is wrong with a schedule, at once, each with its field. Its shape is checked before. */
export async function scheduleFindings(
  deps: ValidateDeps,
  id: string,
  schedule: ScheduleInput,
  nowMs: number,
): Promise<Finding[]> {
  const time = timeFindings(schedule, nowMs);
  const target = check(TARGETS[schedule.target.kind], schedule.target);
  if (!target.ok) return [...time, ...below('target', target.errors)];
  return [...time, ...(await targetFindings(deps, id, schedule, nowMs))];
}

const below = (field: string, findings: readonly Finding[]): Finding[] =>
  findings.map((each) => ({ ...each, field: each.field === '' ? field : `${field}/${each.field}` }));

export function timeFindings(schedule: ScheduleInput, nowMs: number): Finding[] {
  const { at, in: after, cron, timeZone, exclude = [], startAt, endAt } = schedule;
  const findings: Finding[] = [];
  const ways = (['at', 'in', 'cron'] as const).filter((way) => schedule[way] !== undefined);
  if (ways.length === 0) findings.push({ field: 'cron', value: undefined, expected: 'cron, at or in' });
  for (const way of ways.slice(1)) {
    findings.push({
      field: way,
      value: schedule[way],
      expected: `only one of at, in and cron; ${ways[0]} is there`,
    });
  }
  if (timeZone !== undefined && !isZone(timeZone)) {
    const expected = 'an IANA zone, as Europe/Berlin or UTC; no offset and no abbreviation';
    findings.push({ field: 'timeZone', value: timeZone, expected });
  }
  if (cron !== undefined) {
    if (timeZone === undefined) {
      findings.push({
        field: 'timeZone',
        value: undefined,
        expected: 'the IANA zone of cron, as Europe/Berlin',
      });
    }
    const parsed = parseCron(cron);
    if (!parsed.ok) findings.push(...parsed.findings);
  } else if (after === undefined) findings.push(...lateFindings(schedule, at, nowMs));
  exclude.forEach((each, index) => {
    if (typeof each === 'string' || each.from.length === each.to.length) return;
    const expected = 'from and to both with a year, or both without';
    findings.push({ field: `exclude/${index}`, value: each, expected });
  });
  if (startAt !== undefined && endAt !== undefined && Date.parse(endAt) <= Date.parse(startAt)) {
    findings.push({ field: 'endAt', value: endAt, expected: `a time after startAt (${startAt})` });
  }
  if (findings.length === 0 && cron !== undefined && nextDueOf(schedule, nowMs) === undefined) {
    const now = new Date(nowMs).toISOString();
    findings.push({
      field: 'cron',
      value: cron,
      expected: `a run within five years, before endAt; it is ${now}`,
    });
  }
  return findings;
}

function lateFindings({ catchUpSeconds }: ScheduleInput, at: string | undefined, nowMs: number): Finding[] {
  const windowMs = (catchUpSeconds ?? DEFAULT_CATCH_UP_SECONDS) * 1000;
  if (at === undefined || Date.parse(at) >= nowMs - windowMs) return [];
  const earliest = new Date(nowMs - windowMs).toISOString();
  return [
    { field: 'at', value: at, expected: `a time not before ${earliest} (now less the catch-up window)` },
  ];
}

async function targetFindings(
  { store, subjects, tasks }: ValidateDeps,
  id: string,
  { target, timeZone }: ScheduleInput,
  nowMs: number,
): Promise<Finding[]> {
  switch (target.kind) {
    case 'batch.template': {
      const at = new Date(nowMs).toISOString();
      const sample = { batchId: runIdOf(id, nowMs), origin: { kind: 'schedule' as const, id, at } };
      const zone = timeZone !== undefined && isZone(timeZone) ? timeZone : 'UTC';
      return below(
        'target/template',
        await templateFindings(store, target.template, { ...sample, timeZone: zone }, nowMs),
      );
    }
    case 'batch.start':
      return startFindings(store, target);
    case 'task': {
      const schema = tasks.get(target.task)?.configSchema;
      const checked = schema ? check(schema, target.config ?? {}) : { ok: true as const };
      return checked.ok ? [] : below('target/config', checked.errors);
    }
    case 'publish':
      return allowsSubject(subjects, target.subject)
        ? []
        : [
            {
              field: 'target/subject',
              value: target.subject,
              expected: `a subject of ${subjects.join(', ')}`,
            },
          ];
  }
}

async function startFindings(
  store: Store,
  { batchId, steps }: ScheduleTarget & { kind: 'batch.start' },
): Promise<Finding[]> {
  const batch = await store.batches.findOne({ _id: batchId }, { projection: { deletedAt: 1 } });
  const findings: Finding[] = [];
  if (!batch || batch.deletedAt !== undefined) {
    findings.push({ field: 'target/batchId', value: batchId, expected: 'a batch that exists' });
  }
  if (steps) {
    const chain = resolveChain(steps, await readStepTypes(store.db));
    if (!chain.ok) findings.push(...below('target', chain.findings));
  }
  return findings;
}
