import Type, { type Static } from 'typebox';

/** Variables of the steps' service. */
export const stepsConfig = Type.Object({
  STEP_TYPES: Type.Array(Type.String(), {
    default: [],
    description: 'Step types that this process works on; none named: all of them',
  }),
  STEP_CONCURRENCY: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 256,
      description: 'Tasks of each type at once. Default: the type’s own (preparation 4, most others 2)',
    }),
  ),
});
export type StepsConfig = Static<typeof stepsConfig>;
