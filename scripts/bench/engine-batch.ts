import type { NatsConnection } from '@nats-io/transport-node';
import type { BatchView } from '../../contracts/batch-api.ts';
import { sleep } from '../../lib/lifecycle/sleep.ts';
import { callApi } from '../engine/api.ts';
import { CONTENT, SENDER } from './message.ts';

export interface EngineRun {
  /** Seconds of each phase, from the transitions in the batch's history. */
  phases: Record<string, number>;
  counts: BatchView['counts'];
  id: string;
}

const WAIT_MS = 600_000;
const RECEIPTS_WITHIN_MS = 120_000;

/** `sms.api.table.import` of a file on the engine's host. @returns seconds */
export async function importFile(nc: NatsConnection, table: string, path: string): Promise<number> {
  const from = performance.now();
  await callApi(nc, 'table', 'import', { table, source: { kind: 'file', path }, wait: true }, WAIT_MS);
  return (performance.now() - from) / 1000;
}

/** Creates, starts and waits for one batch. @throws when it does not end as Succeeded with everyone accepted */
export async function runBatch(
  nc: NatsConnection,
  table: string,
  provider: string,
  onEvent: (event: string) => void = () => {},
): Promise<EngineRun> {
  const batch = {
    name: `bench ${table}`,
    tableStorageName: table,
    content: CONTENT,
    sender: SENDER,
    providers: [provider],
  };
  const events = nc.subscribe('sms.evt.*.state-changed', {
    callback: (error, message) => {
      if (!error) onEvent(message.json<{ event: string }>().event);
    },
  });
  const { id } = await callApi<BatchView>(nc, 'batch', 'create', { batch, start: true });
  const ended = await callApi<BatchView>(nc, 'batch', 'wait', { id, timeoutMs: WAIT_MS }, WAIT_MS + 5_000);
  events.unsubscribe();
  if (ended.state !== 'Succeeded' || ended.counts.accepted !== ended.total) {
    throw new Error(
      `batch ${id}: ${ended.state} ${JSON.stringify(ended.counts)} ${JSON.stringify(ended.reason)}`,
    );
  }
  return { id, counts: ended.counts, phases: phasesOf(await callApi<BatchView>(nc, 'batch', 'get', { id })) };
}

/** Every receipt of a batch has been applied. */
export async function allDelivered(nc: NatsConnection, id: string, rows: number): Promise<void> {
  const deadline = performance.now() + RECEIPTS_WITHIN_MS;
  while (performance.now() < deadline) {
    const status = await callApi<{ receipts?: { delivered: number } }>(nc, 'batch', 'status', { id });
    if (status.receipts?.delivered === rows) return;
    await sleep(200);
  }
  throw new Error(`batch ${id}: the receipts did not all come`);
}

function phasesOf({ history = [] }: BatchView): Record<string, number> {
  const seconds: Record<string, number> = {};
  let begun: { phase: string; at: number } | undefined;
  for (const entry of history as { event: string; from: string | null; to: string; at: string }[]) {
    const at = Date.parse(entry.at);
    if (begun && /(Complete|Succeed)$/.test(entry.event)) {
      seconds[begun.phase] = (at - begun.at) / 1000;
      begun = undefined;
    }
    const phase = /^(\w+)Execute$/.exec(entry.event)?.[1];
    if (phase && phase !== 'Initial') begun = { phase: phase.toLowerCase(), at };
  }
  return seconds;
}
