import Type from 'typebox';
import { apiSubject } from '../../../contracts/subjects.ts';
import { request } from '../../../lib/nats/request.ts';
import type { TaskType } from './task-type.ts';

/** Repairs the figures in Redis from MongoDB, by the service that keeps them. */
export const statisticsSync: TaskType = {
  type: 'statistics_sync',
  description: 'Repairs the figures in Redis from MongoDB.',
  configSchema: Type.Object({}, { additionalProperties: false }),
  run: ({ nc, run, signal }) =>
    request(nc, apiSubject('stats', 'sync'), { all: true }, { deadlineMs: run.timeoutMs, signal }),
};
