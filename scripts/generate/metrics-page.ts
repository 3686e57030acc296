import { describeMetrics } from '../../lib/metrics/metric-table.ts';
import { BATCH_METRICS } from '../../services/batch/metrics.ts';
import { receiptMetricTable } from '../../services/receipts/metrics.ts';
import { SCHEDULER_METRICS } from '../../services/scheduler/metrics.ts';
import { STATS_METRICS } from '../../services/stats/metrics.ts';
import { STEP_METRICS } from '../../services/steps/metrics.ts';
import { TABLE_METRICS } from '../../services/tables/metrics.ts';
import { WATCHER_METRICS } from '../../services/watcher/metrics.ts';
import { NOTE, page } from './markdown.ts';

const COMPONENTS = {
  batch: BATCH_METRICS,
  tables: TABLE_METRICS,
  steps: STEP_METRICS,
  receipts: receiptMetricTable(() => 0),
  stats: STATS_METRICS,
  scheduler: SCHEDULER_METRICS,
  watcher: WATCHER_METRICS,
};

/** docs/metrics.md */
export const metricsPage = (): string =>
  page(
    NOTE,
    '# Metrics',
    'Every process serves them for Prometheus under `/metrics`, where `HTTP_PORT` is set ([operations](operations.md)); ' +
      '`sms.api.stats.metrics` answers with the counters of the process that answers. A process has those of its components, ' +
      '`smsbatch_build_info` (always 1; labels service, version, node), and what prom-client knows of every Node process: ' +
      '`process_…` (CPU, memory, file descriptors) and `nodejs_…` (lag of the event loop, heap, garbage collection).',
    'Labels never name a batch or a recipient: what happens in one batch is in its `status` and its events.',
    ...Object.entries(COMPONENTS).flatMap(([name, table]) => [
      `## ${name}`,
      describeMetrics([table]).trimEnd(),
    ]),
  );
