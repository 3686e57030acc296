import type { Registry } from 'prom-client';
import { type Metrics, registerMetrics } from '../../lib/metrics/metric-table.ts';

export const WATCHER_METRICS = {
  swept: {
    type: 'counter',
    name: 'watcher_swept_total',
    help: 'What sweeps have found in batches, by what it was.',
    labels: ['what'],
  },
  givenUp: {
    type: 'counter',
    name: 'watcher_given_up_total',
    help: 'Messages that a consumer with a limit of deliveries gave up, moved to the dead letters.',
    labels: ['stream'],
  },
  letters: {
    type: 'counter',
    name: 'watcher_dead_letters_total',
    help: 'Dead letters that somebody replayed or dropped.',
    labels: ['end'],
  },
  triggers: {
    type: 'counter',
    name: 'watcher_triggers_total',
    help: 'Events that became commands, and those that went to the dead letters.',
    labels: ['result'],
  },
  files: {
    type: 'counter',
    name: 'watcher_files_total',
    help: 'Files of hot folders, by what became of them: batch, duplicate, refused, changed (still being written), gone, elsewhere (another watcher’s).',
    labels: ['result'],
  },
  deadLetters: {
    type: 'gauge',
    name: 'dead_letters',
    help: 'Messages in SMS_DEAD at the last look.',
  },
} as const;

export type WatcherMetrics = Metrics<typeof WATCHER_METRICS>;

export const watcherMetrics = (registry: Registry): WatcherMetrics =>
  registerMetrics(registry, WATCHER_METRICS);
