import Type, { type TSchema } from 'typebox';
import type { BuiltInStep } from '../../contracts/states.ts';

const MINUTE_MS = 60_000;

/** What the chain of a batch has to know of a step type. */
export interface StepTypeFacts {
  type: string;
  builtIn: boolean;
  description: string;
  /** Deadline without progress where the chain names none, ms. */
  timeoutMs: number;
  /** What a chain may say under `config`. */
  configSchema: TSchema;
  /** Steps that have to stand before it. `implied`: put there where the list leaves it out. */
  needs: { type: string; implied: boolean }[];
  /** A custom step's own wish. */
  place?: { after?: string; before?: string };
}

const nothing = Type.Object({}, { additionalProperties: false });

const builtIn = (
  type: BuiltInStep,
  timeoutMs: number,
  description: string,
  needs: StepTypeFacts['needs'] = [],
): StepTypeFacts => ({ type, builtIn: true, description, timeoutMs, configSchema: nothing, needs });

/** The built-in steps, in the only order in which a chain may name them. */
export const BUILT_IN_STEP_FACTS: readonly StepTypeFacts[] = [
  builtIn('validation', MINUTE_MS, 'Checks the configuration against what exists; every finding at once.'),
  builtIn('partition', 10 * MINUTE_MS, 'Freezes the recipients and cuts them into tasks.'),
  builtIn('preparation', 5 * MINUTE_MS, 'Renders, encodes and counts the messages; finds duplicates.', [
    { type: 'partition', implied: true },
  ]),
  builtIn('delivery', 15 * MINUTE_MS, 'Sends, and accounts for every recipient.', [
    { type: 'preparation', implied: false },
  ]),
  builtIn('statistics', 10 * MINUTE_MS, 'Recounts the outcomes of all recipients.', [
    { type: 'partition', implied: true },
  ]),
  builtIn('cleanup', 10 * MINUTE_MS, 'Removes the recipients’ source data that the batch made for itself.'),
];
