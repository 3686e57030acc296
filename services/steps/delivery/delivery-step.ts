import type { Collection } from 'mongodb';
import { lifeId } from '../../../contracts/ids.ts';
import type { StepResult } from '../../../contracts/steps.ts';
import { RESEND_AFTER_MS } from '../../../lib/journal/resolve-in-doubt.ts';
import { type WindowSizer, windowSizer } from '../../../lib/journal/window-size.ts';
import type { RateLimiter } from '../../../lib/rate/rate-limiter.ts';
import { batchHashOf } from '../../../lib/sms/concat-reference.ts';
import type { TaskDocument } from '../../../lib/store/task-document.ts';
import { chunkRangeOfTask } from '../../../lib/tables/partition-layout.ts';
import { partitionOf } from '../partition-of.ts';
import { type Step, type StepContext, StepFailure, type StepOutcome } from '../step.ts';
import { deliveryStore } from './delivery-store.ts';
import type { Faults } from './faults.ts';
import { pacing } from './pacing.ts';
import { partEncoder } from './part-encoder.ts';
import type { Sender } from './providers/provider.ts';
import type { ConnectedProvider, ProviderSet } from './providers/provider-set.ts';
import { retryPlan } from './retry-plan.ts';
import type { Account } from './task-end.ts';
import { TaskRun } from './task-run.ts';
import { type WindowShares, windowShares } from './window-shares.ts';

export interface DeliveryDeps {
  providers: Pick<ProviderSet, 'get' | 'all'>;
  limiter: Pick<RateLimiter, 'reserve'>;
  /** Of a client of its own, so that bulk reads do not delay an intent. */
  journalTasks: Collection<TaskDocument>;
  /** Waits before a message that was refused for now is tried again. */
  retryWaitsMs?: readonly number[];
  /** Wait before an unanswered message is sent again, where the batch wants that. */
  resendAfterMs?: number;
  /** Tasks that one process holds at once; of each batch one of them sends. */
  concurrency?: number;
  /** Tests kill or freeze the process here. */
  faults?: Faults;
}

/** Sends the messages of a task: never one twice, never one forgotten (design: "Recipients and delivery"). */
export function deliveryStep(deps: DeliveryDeps): Step {
  const shares = windowShares();
  const sizers = new Map<string, WindowSizer>();
  const sizerOf = (provider: string): WindowSizer => {
    const sizer = sizers.get(provider) ?? windowSizer();
    sizers.set(provider, sizer);
    return sizer;
  };
  const shared = { shares, sizerOf };
  return {
    type: 'delivery',
    description: 'Sends the prepared messages over the batch’s provider.',
    defaultTimeoutMs: 10 * 60_000,
    concurrency: deps.concurrency ?? 8,
    async run(context) {
      const run = await taskRun(deps, shared, context);
      return outcomeOf(await run.run());
    },
    async settle(context) {
      const run = await taskRun(deps, shared, context);
      const account = await run.settle();
      return account && resultOf(account);
    },
  };
}

/** What all tasks of a process share. */
interface Shared {
  shares: WindowShares;
  sizerOf(provider: string): WindowSizer;
}

async function taskRun(deps: DeliveryDeps, shared: Shared, context: StepContext): Promise<TaskRun> {
  const { batch, task, store, signal } = context;
  const { definition } = batch;
  const { provider, intake, senderTps } = providerOf(deps, definition.providers);
  const partition = await partitionOf(store, batch);
  const { from, to } = chunkRangeOfTask(partition, task.n);
  const range = { first: from, end: to };
  const sender = senderOf(provider, definition.sender, definition.extCode);
  const { account } = provider;
  return new TaskRun({
    task,
    shares: shared.shares,
    sizer: shared.sizerOf(provider.account.name),
    range,
    provider,
    store: deliveryStore({
      store,
      account: account.name,
      journalTasks: deps.journalTasks,
      task,
      range,
      signal,
      onRefused: (write) => context.refused(write),
    }),
    pacing: pacing({
      limiter: deps.limiter,
      account,
      batchKey: `batch:${lifeId(batch._id, batch.incarnation)}`,
      sender:
        senderTps === null
          ? undefined
          : { key: `sender:${account.name}:${sender.addr}`, ratePerSecond: senderTps },
      batchRate: task.ratePerSecond,
    }),
    encoder: partEncoder({
      sender,
      reference: account.reference,
      batchHash: batchHashOf(batch._id),
      validitySeconds: definition.validitySeconds ?? 0,
    }),
    rules: {
      retryPlan: retryPlan(deps.retryWaitsMs),
      onInDoubt: definition.onInDoubt ?? 'hold',
      failureThreshold: definition.failureThreshold ?? null,
      resendAfterMs: deps.resendAfterMs ?? RESEND_AFTER_MS,
    },
    notAfterMs: definition.notAfter === undefined ? null : Date.parse(definition.notAfter),
    signal,
    onProgress: (progress) => context.progress(progress),
    onLateAnswer: (answer) => intake.lateAnswer(answer),
    faults: deps.faults,
  });
}

function providerOf({ providers }: DeliveryDeps, names: readonly string[] | undefined): ConnectedProvider {
  const all = providers.all();
  const name = names?.[0];
  const found = name === undefined ? all[0] : providers.get(name);
  if (found && (name !== undefined || all.length === 1)) return found;
  const known = all.map(({ provider }) => provider.account.name).join(', ') || 'none';
  throw new StepFailure('no-provider', 'The batch’s provider is not configured where delivery runs.', [
    { field: 'providers/0', value: name, expected: `one of the configured accounts: ${known}` },
  ]);
}

function senderOf(
  { senderOf: of }: ConnectedProvider['provider'],
  sender?: string,
  extCode?: string,
): Sender {
  try {
    return of(sender, extCode);
  } catch (error) {
    throw new StepFailure('invalid-sender', (error as Error).message, [
      { field: 'sender', value: sender, expected: 'digits, or up to 11 letters and digits' },
    ]);
  }
}

const resultOf = ({ counts, segments, resent }: Account): StepResult => ({
  counts,
  segments,
  ...(resent > 0 && { resent }),
});

function outcomeOf(end: Awaited<ReturnType<TaskRun['run']>>): StepOutcome {
  switch (end.kind) {
    case 'done':
      return { kind: 'done', result: resultOf(end) };
    case 'held':
    case 'expired':
      return { kind: 'yielded', result: resultOf(end) };
    case 'stopped':
      return { kind: 'yielded', result: resultOf(end), stop: end.stop };
    case 'left':
    case 'lost':
      return { kind: end.kind };
  }
}
