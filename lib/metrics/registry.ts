import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export interface RegistryOptions {
  service: string;
  version: string;
  /** CPU, memory, event-loop lag, garbage collection, under the names that dashboards for Node know. Default true. */
  processMetrics?: boolean;
}

/** One a process. Ours begin with `smsbatch_`. */
export function createRegistry({ service, version, processMetrics = true }: RegistryOptions): Registry {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'smsbatch_build_info',
    help: 'Always 1; what runs is in the labels',
    labelNames: ['service', 'version', 'node'],
    registers: [registry],
  }).set({ service, version, node: process.version }, 1);
  return registry;
}
