import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, isPortFree } from './free-port.ts';

const fileName = 'ports.json';

/** The ports that this data was served on before, where they are free: a replica set's configuration names its own. */
export async function choosePorts(dir: string, count: number): Promise<number[]> {
  const before: number[] = await readFile(join(dir, fileName), 'utf8').then(JSON.parse, () => []);
  if (before.length === count && (await Promise.all(before.map(isPortFree))).every(Boolean)) return before;
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

export async function rememberPorts(dir: string, ports: readonly number[]): Promise<void> {
  await writeFile(join(dir, fileName), JSON.stringify(ports));
}
