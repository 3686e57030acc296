import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

interface Common {
  /** Without the prefix. A counter ends in `_total`, a time in `_seconds`. */
  name: string;
  help: string;
  labels?: readonly string[];
}

export type MetricSpec =
  | (Common & { type: 'counter' })
  /** With `collect` its value is asked for when somebody looks. */
  | (Common & { type: 'gauge'; collect?: () => number })
  /** Buckets in the base unit. Default: from 1 ms to 10 s. */
  | (Common & { type: 'histogram'; buckets?: readonly number[] });

/** A part's metrics as data, beside the part. The docs are made of it. */
export type MetricTable = Readonly<Record<string, MetricSpec>>;

type LabelsOf<Spec> = Spec extends { labels: readonly (infer Label extends string)[] } ? Label : never;

export type Metrics<Table extends MetricTable> = {
  readonly [Key in keyof Table]: Table[Key]['type'] extends 'counter'
    ? Counter<LabelsOf<Table[Key]>>
    : Table[Key]['type'] extends 'gauge'
      ? Gauge<LabelsOf<Table[Key]>>
      : Histogram<LabelsOf<Table[Key]>>;
};

export const metricPrefix = 'smsbatch_';
const defaultBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Registers a table. The same table twice on one registry is the same metrics: a part that is started again goes on counting.
 * @throws Error for a name or a label against the conventions.
 */
export function registerMetrics<const Table extends MetricTable>(
  registry: Registry,
  table: Table,
): Metrics<Table> {
  return Object.fromEntries(
    Object.entries(table).map(([key, spec]) => [key, registered(registry, spec)]),
  ) as unknown as Metrics<Table>;
}

function registered(registry: Registry, spec: MetricSpec) {
  refuse(spec);
  const name = metricPrefix + spec.name;
  const known = registry.getSingleMetric(name);
  if (known) return known;
  const common = { name, help: spec.help, labelNames: [...(spec.labels ?? [])], registers: [registry] };
  switch (spec.type) {
    case 'counter':
      return new Counter(common);
    case 'gauge': {
      const { collect } = spec;
      if (!collect) return new Gauge(common);
      return new Gauge({
        ...common,
        collect() {
          this.set(collect());
        },
      });
    }
    case 'histogram':
      return new Histogram({ ...common, buckets: [...(spec.buckets ?? defaultBuckets)] });
  }
}

/** A label has few values: one for each batch or number would fill the memory of every Prometheus that asks. */
const forbiddenLabel = /batch_?id|msisdn|phone|recipient|request_?id|message_?id/i;

function refuse({ name, type, labels = [] }: MetricSpec): void {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`metric ${name}: lower case, digits and _`);
  if (type === 'counter' && !name.endsWith('_total'))
    throw new Error(`counter ${name}: has to end in _total`);
  if (/_(ms|millis|milliseconds|us)(_|$)/.test(name))
    throw new Error(`metric ${name}: times are in _seconds`);
  for (const label of labels) {
    if (forbiddenLabel.test(label)) throw new Error(`metric ${name}: label ${label} has too many values`);
  }
}

/** Tables of metrics as a markdown table. */
export function describeMetrics(tables: readonly MetricTable[]): string {
  const rows = tables.flatMap((table) =>
    Object.values(table).map(({ name, type, labels = [], help }) => {
      const cells = [`\`${metricPrefix}${name}\``, type, labels.join(', '), help];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    }),
  );
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows.sort(), ''].join('\n');
}
