import Table from 'cli-table3';
import { OUTCOMES, type OutcomeCounts, totalOf } from '../../contracts/outcomes.ts';
import type { LedgerCheck } from '../engine/check-ledger.ts';

export interface DemoResult {
  ok: boolean;
  batchId: string;
  state: string;
  total: number;
  counts: OutcomeCounts;
  identityHolds: boolean;
  ledger: LedgerCheck;
  receipts: { delivered: number; undelivered: number; expiredAtCarrier: number };
  /** At most this many may be unknown: the SMPP window and two intent windows for each killed worker. */
  unknownAllowed: number;
  killed: string[];
  seconds: Record<string, number>;
}

const thousands = new Intl.NumberFormat('en');

/** The table for people, on stderr: stdout is for the JSON. */
export function printReport(result: DemoResult): void {
  const { counts, total, ledger, seconds, receipts } = result;
  const table = new Table({
    head: ['outcome', 'recipients'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [] },
  });
  for (const outcome of OUTCOMES) table.push([outcome, thousands.format(counts[outcome])]);
  table.push(['= total', thousands.format(totalOf(counts))]);
  const lines = [
    '',
    table.toString(),
    '',
    `Batch ${result.batchId} is ${result.state}.`,
    `Identity: total ${thousands.format(total)} = the sum of all outcomes: ${result.identityHolds ? 'holds' : 'BROKEN'}`,
    `Carrier’s ledger: received ${thousands.format(ledger.received)} messages in ${thousands.format(ledger.segments)} segments; ` +
      `missing ${ledger.missing}, unexpected ${ledger.unexpected}, doubled ${ledger.doubled}`,
    `Receipts so far: delivered ${thousands.format(receipts.delivered)}, undelivered ${thousands.format(receipts.undelivered)}`,
    ...(result.killed.length > 0
      ? [
          `Killed with SIGKILL on the way: ${result.killed.join(', ')}; ` +
            `unknown ${counts.unknown} (at most ${result.unknownAllowed} allowed), never sent again unasked`,
        ]
      : []),
    ...ledger.examples.map(({ phone, what }) => `  ! +${phone}: ${what}`),
    `Seconds: ${Object.entries(seconds)
      .map(([phase, value]) => `${phase} ${value.toFixed(1)}`)
      .join(', ')}`,
    '',
  ];
  process.stderr.write(lines.join('\n'));
}

/** Three things to try next, with the URL filled in. */
export function printNext(natsUrl: string, batchId: string, kept: boolean): void {
  const cli = `nats -s ${natsUrl}`;
  const lines = [
    kept
      ? 'Everything is still running (Ctrl-C ends it). Three things to try from another terminal:'
      : 'Three things to try next (npm run demo -- --keep leaves everything running):',
    `  ${cli} req sms.api.batch.status '{"id":"${batchId}"}'`,
    `  ${cli} sub 'sms.evt.>'`,
    `  ${cli} req sms.api.batch.retry '{"id":"${batchId}","filter":{"outcomes":["rejected"]},"childId":"again","start":true}'`,
    '',
  ];
  process.stderr.write(lines.join('\n'));
}
