import type { Logger } from 'pino';
import { newHostId } from '../../lib/config/host-id.ts';
import { type Part, part, together } from '../../lib/lifecycle/part.ts';
import { isTransient } from '../../lib/mongo/errors.ts';
import type { Nats } from '../../lib/nats/connect.ts';
import { serveApi } from '../../lib/nats/micro.ts';
import { publisher as publisherOf } from '../../lib/nats/publish.ts';
import { registerStepTypes } from '../../lib/steps/step-types.ts';
import type { Store } from '../../lib/store/collections.ts';
import { stepEndpoints } from './api.ts';
import type { StepsConfig } from './config.ts';
import type { StepMetrics } from './metrics.ts';
import { type StepRegistry, stepTypeDocument } from './registry.ts';
import { type Runner, runner } from './runner.ts';
import type { Step } from './step.ts';

export interface StepsDeps {
  nats: Nats;
  store: Store;
  config: StepsConfig;
  /** Built-in steps and custom ones. */
  registry: StepRegistry;
  metrics: StepMetrics;
  log: Logger;
  version: string;
  /** Name of this process in the tasks that it takes. */
  holder?: string;
  /** The longest that stop waits for an idle pull, ms. */
  expiresMs?: number;
  progressEveryMs?: number;
}

export interface Steps extends Part {
  /** For readiness: why tasks of a type are not pulled at the moment. */
  failing(): Record<string, string>;
}

/**
 * Consumes SMS_STEPS, one durable consumer a step type; publishes answers to SMS_COMMANDS and progress to SMS_EVENTS; serves
 * `sms.api.step.*`; writes `step_types`.
 */
export function startSteps(deps: StepsDeps): Steps {
  const { nats, store, config, metrics, log, version } = deps;
  const { nc } = nats;
  const steps = chosen(deps.registry, config.STEP_TYPES);
  const publisher = publisherOf(nats);
  const holder = deps.holder ?? newHostId();
  const runners: Runner[] = steps.map((step) =>
    runner({
      nats,
      store,
      publisher,
      metrics,
      step,
      log: log.child({ step: step.type }),
      holder,
      progressEveryMs: deps.progressEveryMs ?? 1_000,
      concurrency: config.STEP_CONCURRENCY,
      expiresMs: deps.expiresMs,
    }),
  );

  const whole = part('steps', async ({ run }) => {
    const now = Date.now();
    await registerStepTypes(
      store.db,
      steps.map((step) => stepTypeDocument(step, now)),
    );
    // All at the same time: each waits for its own open pull.
    await run(together('runners', runners));
    await run(
      serveApi(nc, {
        name: 'smsbatch-steps',
        version,
        description: 'The steps that a chain may name',
        endpoints: stepEndpoints(store),
        log,
        unavailable: isTransient,
      }),
    );
  });
  return {
    ...whole,
    failing: () =>
      Object.fromEntries(
        runners.flatMap((each) => {
          const why = each.failing();
          return why === undefined ? [] : [[each.type, why]];
        }),
      ),
  };
}

function chosen({ steps }: StepRegistry, types: readonly string[]): Step[] {
  if (types.length === 0) return [...steps.values()];
  return types.map((type) => {
    const step = steps.get(type);
    if (step) return step;
    const known = [...steps.keys()].join(', ');
    throw new Error(`STEP_TYPES names ${type}; the steps of this process are ${known}`);
  });
}
