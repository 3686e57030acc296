import { readConfig } from '../../lib/config/read-config.ts';
import type { Component } from '../../lib/service/component.ts';
import { startScheduler } from './component.ts';
import { schedulerConfig } from './config.ts';
import { cleanup } from './tasks/cleanup.ts';
import { importAndStart } from './tasks/import-and-start.ts';
import { statisticsSync } from './tasks/statistics-sync.ts';
import { type TaskType, taskTypes } from './tasks/task-type.ts';

/**
 * Connects to NATS and MongoDB. Consumes SMS_SCHEDULES (what is due, commands, runs of tasks) and the ends of batches from
 * SMS_EVENTS; publishes commands to batches, what schedules publish, timers to SMS_SCHEDULES, events; serves
 * `sms.api.schedule.*`; writes `schedules`.
 * @param custom maintenance tasks of one's own, beside the built-in ones
 */
export const schedulerWith = (custom: readonly TaskType[] = []): Component => ({
  name: 'scheduler',
  summary: 'schedules: what happens at a time, once or again and again',
  switch: 'TASK_SCHEDULER_ENABLED',
  config: schedulerConfig,
  start: ({ nats, store, env, registry, log, version }) =>
    startScheduler({
      nats,
      store,
      registry,
      log: log.child({ component: 'scheduler' }),
      version,
      config: readConfig(schedulerConfig, env),
      tasks: taskTypes([statisticsSync, cleanup, importAndStart, ...custom]),
    }),
});

export const scheduler: Component = schedulerWith();
