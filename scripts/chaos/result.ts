import Table from 'cli-table3';
import type { Findings } from './check-family.ts';
import type { FaultKind } from './fault-kinds.ts';

/** What a run has found. Everything from `lost` to `stuck` breaks a promise when it is not 0. */
export interface ChaosResult extends Findings {
  ok: boolean;
  seed: number;
  seconds: number;
  /** Made, by kind. */
  faults: Partial<Record<FaultKind, number>>;
  /** Processes of ours that were killed, and that were frozen. */
  kills: number;
  workerKills: number;
  freezes: number;
  brokerRestarts: number;
  databaseRestarts: number;
  batches: number;
  /** Calls of users: obeyed, refused, without an answer. */
  attempts: { ok: number; refused: number; unknown: number };
  /** Accepted by the carrier. */
  messages: number;
  unknown: number;
  /** One SMPP window and two of intents for each worker that was killed, frozen or cut off, and what the carrier left unanswered. */
  unknownAllowed: number;
  unknownReceived: number;
  resolved: number;
  /** Of those in doubt that the carrier had and sent a receipt for. */
  resolvedShare: number;
  resent: number;
  resentDoubles: number;
  stops: number;
  lateAfterPause: number;
  lateAfterAbort: number;
  lateFromFrozen: number;
  latestSubmitMs: number;
  backwards: number;
  endedTwice: number;
  endedNever: number;
  /** Succeeded with recipients whose outcome was open. */
  endedOpen: number;
  scheduledRuns: number;
  scheduledTwice: number;
  scheduledNever: number;
  /** Batches whose figures in Redis are not those in MongoDB. */
  redisDiffers: number;
  /** Commands published without the API, and stored. */
  rawCommands: number;
  /** Commands without any event, and poison without a dead letter. */
  silent: number;
  /** Obeyed although they expected another version. */
  obeyedStale: number;
  /** Batches that neither ended nor are where a person put them. */
  stuck: number;
  /** From the last fault to the first answer of every kind, and to the end of the last batch. */
  answeredAfterMs: number;
  settledAfterMs: number;
  /** Processes that ended although nobody ended them. */
  diedAlone: number;
  examples: string[];
  logDir: string;
}

/** Each of these breaks a promise. */
const PROMISES: Record<string, (result: ChaosResult) => number> = {
  'lost (1)': (r) => r.lost,
  'doubled (1)': (r) => r.doubled,
  'unexpected (1)': (r) => r.unexpected,
  'wrongly claimed (1)': (r) => r.wronglyClaimed,
  'identity broken (1)': (r) => r.identityBroken,
  'unknown beyond what may be (1)': (r) => Math.max(0, r.unknown + r.resolved - r.unknownAllowed),
  'late after pause (2)': (r) => r.lateAfterPause,
  'late after abort (2)': (r) => r.lateAfterAbort,
  'obeyed although stale (3)': (r) => r.obeyedStale,
  'status went backwards (4)': (r) => r.backwards,
  'end announced twice (4)': (r) => r.endedTwice,
  'end never announced (4)': (r) => r.endedNever,
  'ended with open recipients (4)': (r) => r.endedOpen,
  'stuck (5)': (r) => r.stuck,
  'schedule fired twice (6)': (r) => r.scheduledTwice,
  'schedule never fired (6)': (r) => r.scheduledNever,
  'silent (7)': (r) => r.silent,
  'Redis differs (8)': (r) => r.redisDiffers,
};

export function brokenPromises(result: ChaosResult): string[] {
  return Object.entries(PROMISES).flatMap(([name, of]) => (of(result) > 0 ? [`${name}: ${of(result)}`] : []));
}

export function printResult(result: ChaosResult, say: (line: string) => void): void {
  const faults = Object.entries(result.faults).map(([kind, count]) => `${kind} ${count}`);
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['seed', result.seed],
    ['faults', faults.join(', ')],
    ['processes killed, frozen', `${result.kills}, ${result.freezes}`],
    ['batches', result.batches],
    ['calls: obeyed, refused, unanswered', Object.values(result.attempts).join(', ')],
    ['messages, by the carrier', result.messages],
    [
      'in doubt: resolved, still unknown',
      `${result.resolved}, ${result.unknown} (${result.unknownAllowed} may be)`,
    ],
    ['stops; latest submission after one', `${result.stops}; ${result.latestSubmitMs} ms`],
    ['runs of the schedule', result.scheduledRuns],
    ['all answered, all settled after', `${result.answeredAfterMs} ms, ${result.settledAfterMs} ms`],
    ...Object.entries(PROMISES).map(([name, of]) => [name, of(result)]),
  );
  say(table.toString());
  for (const example of result.examples) say(`  ${example}`);
  const broken = brokenPromises(result);
  say(broken.length === 0 ? '\nEvery promise was kept.' : `\nBroken: ${broken.join('; ')}`);
}
