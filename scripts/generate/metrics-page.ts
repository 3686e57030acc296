import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeMetrics, type MetricTable } from '../../lib/metrics/metric-table.ts';
import { checkoutDir } from '../servers/runtime-dir.ts';
import { NOTE, page } from './markdown.ts';

/** Each component's tables: what `services/<name>/metrics.ts` exports in capitals. */
async function tables(): Promise<[string, MetricTable[]][]> {
  const services = join(checkoutDir, 'services');
  const names = readdirSync(services).filter((name) => existsSync(join(services, name, 'metrics.ts')));
  return Promise.all(
    names.sort().map(async (name): Promise<[string, MetricTable[]]> => {
      const module = await import(pathToFileURL(join(services, name, 'metrics.ts')).href);
      const found = Object.entries(module).filter(([key]) => key.endsWith('_METRICS'));
      if (found.length === 0) throw new Error(`services/${name}/metrics.ts exports no table of metrics`);
      return [name, found.map(([, table]) => table as MetricTable)];
    }),
  );
}

/** docs/metrics.md */
export const metricsPage = async (): Promise<string> =>
  page(
    NOTE,
    '# Metrics',
    'Every process serves them for Prometheus under `/metrics`, where `HTTP_PORT` is set ([operations](operations.md)); ' +
      '`sms.api.stats.metrics` answers with the counters of the process that answers. A process has those of its components, ' +
      '`smsbatch_build_info` (always 1; labels service, version, node), and what prom-client knows of every Node process: ' +
      '`process_…` (CPU, memory, file descriptors) and `nodejs_…` (lag of the event loop, heap, garbage collection).',
    'Labels never name a batch or a recipient: what happens in one batch is in its `status` and its events.',
    ...(await tables()).flatMap(([name, found]) => [`## ${name}`, describeMetrics(found).trimEnd()]),
  );
