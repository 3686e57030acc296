import type { Collection, Db } from 'mongodb';
import Type, { type TSchema } from 'typebox';
import { STEP_TYPES } from '../store/own-collections.ts';
import { BUILT_IN_STEP_FACTS, type StepTypeFacts } from './built-in.ts';

/** `step_types`: which steps exist, written by the processes that serve them. `_id` = type. */
export interface StepTypeDocument {
  _id: string;
  builtIn: boolean;
  place?: { after?: string; before?: string };
  /** JSON Schema of `config`, as text: a schema has keys with `$`, which MongoDB would have to be asked about. */
  configSchema?: string;
  timeoutMs: number;
  description: string;
  /** Registered by request: a program of another language works on it. */
  foreign?: boolean;
  /** ms since 1970. */
  updatedAt: number;
}

/** Step types by name: the built-in ones and those that are registered. */
export type StepTypes = ReadonlyMap<string, StepTypeFacts>;

const collection = (db: Db): Collection<StepTypeDocument> => db.collection(STEP_TYPES);

const anything = Type.Object({});

/** Tells everyone which steps are served. A type registered again is replaced. */
export async function registerStepTypes(db: Db, types: readonly StepTypeDocument[]): Promise<void> {
  await Promise.all(
    types.map((each) => collection(db).replaceOne({ _id: each._id }, each, { upsert: true })),
  );
}

/** True for a type that a process of the engine has said it works on, or always does. */
export async function isServedByUs(db: Db, type: string): Promise<boolean> {
  if (builtInStepTypes().has(type)) return true;
  const stored = await collection(db).findOne({ _id: type });
  return stored !== null && stored.foreign !== true;
}

export const builtInStepTypes = (): StepTypes =>
  new Map(BUILT_IN_STEP_FACTS.map((facts) => [facts.type, facts]));

/** The built-in steps are known before any process has registered them; nothing that is stored can change them. */
export async function readStepTypes(db: Db): Promise<StepTypes> {
  const stored = await collection(db).find({}).toArray();
  const custom = stored.filter(({ _id }) => !builtInStepTypes().has(_id)).map(factsOf);
  return new Map([...builtInStepTypes(), ...custom.map((facts) => [facts.type, facts] as const)]);
}

function factsOf(stored: StepTypeDocument): StepTypeFacts {
  const { _id, place, configSchema, timeoutMs, description } = stored;
  return {
    type: _id,
    builtIn: false,
    description,
    timeoutMs,
    configSchema: configSchema === undefined ? anything : (JSON.parse(configSchema) as TSchema),
    needs: place?.after === undefined ? [] : [{ type: place.after, implied: place.after === 'partition' }],
    ...(place && { place }),
  };
}
