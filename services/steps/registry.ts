import { STEP_TYPE_PATTERN } from '../../contracts/ids.ts';
import { isBuiltInStep } from '../../contracts/states.ts';
import { builtInStepTypes, type StepTypeDocument } from '../../lib/steps/step-types.ts';
import type { Step } from './step.ts';

/** The steps that one process can work on. An object, so that two services in one process have one each. */
export interface StepRegistry {
  /** @throws Error when the type is no subject token, or registered already */
  registerStep(step: Step): void;
  readonly steps: ReadonlyMap<string, Step>;
}

export function stepRegistry(initial: readonly Step[] = []): StepRegistry {
  const steps = new Map<string, Step>();
  const registry: StepRegistry = {
    steps,
    registerStep(step) {
      if (!new RegExp(STEP_TYPE_PATTERN).test(step.type)) {
        throw new Error(`"${step.type}" is no step type: lower-case letters, digits and -, a letter first`);
      }
      if (steps.has(step.type)) throw new Error(`step ${step.type} is registered already`);
      steps.set(step.type, step);
    },
  };
  for (const step of initial) registry.registerStep(step);
  return registry;
}

/** What others are told of a step. Of a built-in one the code that everyone has decides, not the process that serves it. */
export function stepTypeDocument(step: Step, nowMs: number): StepTypeDocument {
  const { type, place, configSchema, defaultTimeoutMs } = step;
  const facts = builtInStepTypes().get(type);
  const schema = facts?.configSchema ?? configSchema;
  return {
    _id: type,
    builtIn: isBuiltInStep(type),
    description: step.description ?? facts?.description ?? '',
    timeoutMs: facts?.timeoutMs ?? defaultTimeoutMs,
    updatedAt: nowMs,
    ...(place && { place }),
    ...(schema && { configSchema: JSON.stringify(schema) }),
  };
}
