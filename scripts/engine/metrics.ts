import { readFile } from 'node:fs/promises';
import type { Child } from './child-process.ts';

/** Where a process that was started with HTTP_PORT=0 serves its metrics: the last that its log says. */
async function portOf(child: Child): Promise<number> {
  const log = await readFile(child.logFile, 'utf8');
  const lines = log.split('\n').filter((line) => line.includes('health and metrics are served'));
  const { address, port } = JSON.parse(lines.at(-1) ?? '{}') as { address?: string; port?: number };
  if (port === undefined)
    throw new Error(`${child.name} serves no metrics (${address}): HTTP_PORT is not set`);
  return port;
}

/** Sum of a metric of one process over all its labels, or over those that `labels` (as `step="delivery"`) names. */
export async function metricOf(child: Child, name: string, labels = ''): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${await portOf(child)}/metrics`, {
    signal: AbortSignal.timeout(10_000),
  });
  const samples = (await response.text())
    .split('\n')
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels));
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
