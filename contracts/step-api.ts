import Type, { type Static } from 'typebox';
import { commandMeta } from './commands.ts';
import { StepType } from './ids.ts';

const { requestId, operatorId } = commandMeta;

/** `sms.api.step.list` */
export const StepListRequest = Type.Object({ requestId, operatorId }, { additionalProperties: false });

const Place = Type.Object(
  {
    after: Type.Optional(Type.String({ description: 'The step that has to stand before it.' })),
    before: Type.Optional(Type.String({ description: 'The step that may only come later.' })),
  },
  { additionalProperties: false },
);

/** One step type that a chain may name. */
export const StepView = Type.Object(
  {
    type: Type.String(),
    builtIn: Type.Boolean(),
    description: Type.String(),
    timeoutMs: Type.Integer({ description: 'Deadline without progress where the chain names none.' }),
    needs: Type.Array(Type.String(), { description: 'Steps that have to stand before it.' }),
    place: Type.Optional(Place),
    configSchema: Type.Optional(
      Type.Unknown({ description: 'JSON Schema of what a chain may say under `config`.' }),
    ),
  },
  { additionalProperties: false },
);
export type StepView = Static<typeof StepView>;

/** `sms.api.step.register`: a step that a program of another language works on. */
export const StepRegisterRequest = Type.Object(
  {
    type: StepType,
    description: Type.Optional(Type.String({ maxLength: 1_000 })),
    timeoutMs: Type.Integer({
      minimum: 1_000,
      maximum: 7 * 24 * 3_600_000,
      description: 'Without progress, in ms.',
    }),
    place: Type.Optional(Place),
    configSchema: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'JSON Schema of what a chain may say under `config`; absent: anything.',
      }),
    ),
    requestId,
    operatorId,
  },
  { additionalProperties: false },
);
export type StepRegisterRequest = Static<typeof StepRegisterRequest>;

export const StepListResponse = Type.Object(
  {
    steps: Type.Array(StepView, {
      description: 'The built-in ones in the order of a chain, then the others.',
    }),
  },
  { additionalProperties: false },
);
