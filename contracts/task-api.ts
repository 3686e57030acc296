import Type, { type Static } from 'typebox';
import { ScheduleId, TaskType } from './schedule.ts';

/** Request on `sms.task.<type>`: one run of a maintenance task. Whoever subscribes answers; the same run may come twice. */
export const TaskRunRequest = Type.Object(
  {
    task: TaskType,
    scheduleId: ScheduleId,
    runId: Type.String({ description: 'The same at each try of this run.' }),
    dueAt: Type.String({ format: 'date-time' }),
    config: Type.Record(Type.String(), Type.Unknown()),
    timeoutMs: Type.Integer({ description: 'Later answers are not waited for.' }),
  },
  { additionalProperties: false, description: 'One run of a maintenance task; the same run may come twice.' },
);
export type TaskRunRequest = Static<typeof TaskRunRequest>;

/** The answer to it. */
export const TaskRunAnswer = Type.Object(
  {
    ok: Type.Boolean(),
    message: Type.Optional(Type.String({ description: 'Why it failed.' })),
    result: Type.Optional(Type.Unknown({ description: 'What it has done; kept with the run.' })),
  },
  { description: 'What became of a run of a maintenance task.' },
);
export type TaskRunAnswer = Static<typeof TaskRunAnswer>;
