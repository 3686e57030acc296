import Type, { type Static } from 'typebox';
import { commandMeta } from './commands.ts';

const { requestId, operatorId } = commandMeta;

/** `sms.api.step.list` */
export const StepListRequest = Type.Object(
  { requestId: Type.Optional(requestId), operatorId: Type.Optional(operatorId) },
  { additionalProperties: false },
);

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

export const StepListResponse = Type.Object(
  {
    steps: Type.Array(StepView, {
      description: 'The built-in ones in the order of a chain, then the others.',
    }),
  },
  { additionalProperties: false },
);
