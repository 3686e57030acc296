import {
  parseDueSubject,
  parseEventSubject,
  parseScheduleCommandSubject,
  STREAMS,
} from '../../contracts/subjects.ts';
import { obeyCommand } from '../../services/scheduler/commands.ts';
import { fireDue } from '../../services/scheduler/fire-due.ts';
import type { OperationDeps } from '../../services/scheduler/operations.ts';
import { endRunsOf } from '../../services/scheduler/run-ends.ts';
import { schedulesOf } from '../../services/scheduler/schedule-store.ts';
import { scheduleSweep } from '../../services/scheduler/sweep.ts';
import { consume, everyMs, noMetrics, type Process } from './process.ts';
import type { World } from './world.ts';

/** Where the simulation's schedules publish to. */
export const RUNS_SUBJECT = 'runs';

const SWEEP_EVERY_MS = 3_000;
const ENDS = ['ended', 'deleted', 'command-rejected'];

export function addSchedules({ bus, consumers }: World): void {
  const add = (name: string, stream: string, wants: (subject: string) => boolean, most: number) =>
    consumers.set(name, bus.consumer(name, stream, wants, most));
  add('due', STREAMS.schedules, (subject) => parseDueSubject(subject) !== undefined, 4_000);
  add(
    'schedule commands',
    STREAMS.schedules,
    (subject) => parseScheduleCommandSubject(subject) !== undefined,
    1,
  );
  add('ends', STREAMS.events, (subject) => ENDS.includes(parseEventSubject(subject)?.event ?? ''), 2_000);
}

/** The scheduler's host: the real decisions, compare-and-sets, timers and sweep. */
export function planners(process: Process): void {
  const { world, nats, store, publisher, log } = process;
  const deps: OperationDeps = {
    nats,
    store,
    schedules: schedulesOf(store.db),
    publisher,
    metrics: noMetrics(),
    log,
    now: Date.now,
    subjects: [`${RUNS_SUBJECT}.>`],
    tasks: new Map(),
  };
  consume(process, world.consumers.get('due')!, {
    room: 20,
    handle: async (message) => (await fireDue(deps, [message]))[0]!,
  });
  consume(process, world.consumers.get('schedule commands')!, {
    room: 1,
    handle: (message) => obeyCommand(deps, message),
  });
  consume(process, world.consumers.get('ends')!, {
    room: 20,
    handle: async (message) => (await endRunsOf(deps, [message])) as 'ack',
  });
  everyMs(process, 'schedule sweep', SWEEP_EVERY_MS, scheduleSweep(deps));
}
