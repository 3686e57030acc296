import Type, { type Static } from 'typebox';

export const schedulerConfig = Type.Object({
  SCHEDULER_SUBJECTS: Type.Array(Type.String(), {
    default: ['sms.cmd.*.*', 'sms.trigger.>'],
    description:
      'Subjects that schedules may publish to, with * and >; never those of the server or of timers',
  }),
  SCHEDULER_TASKS_AT_ONCE: Type.Integer({
    default: 2,
    minimum: 1,
    maximum: 64,
    description: 'Maintenance tasks that this process runs at once',
  }),
});
export type SchedulerConfig = Static<typeof schedulerConfig>;
