import { check } from '../../contracts/check.ts';
import { errorBody, RefusedError } from '../../contracts/errors.ts';
import {
  StepListRequest,
  StepListResponse,
  StepRegisterRequest,
  StepView,
} from '../../contracts/step-api.ts';
import { type ApiEndpoint, endpoint } from '../../lib/nats/micro.ts';
import type { StepTypeFacts } from '../../lib/steps/built-in.ts';
import {
  isServedByUs,
  readStepTypes,
  registerStepTypes,
  type StepTypeDocument,
} from '../../lib/steps/step-types.ts';
import type { Store } from '../../lib/store/collections.ts';

/** `sms.api.step.*` */
export const stepEndpoints = ({ db }: Pick<Store, 'db'>): ApiEndpoint[] => [
  endpoint({
    noun: 'step',
    verb: 'list',
    description: 'The steps that a chain may name: built in and registered',
    request: StepListRequest,
    response: StepListResponse,
    handler: async () => ({ steps: [...(await readStepTypes(db)).values()].map(viewOf) }),
  }),
  endpoint({
    noun: 'step',
    verb: 'register',
    description: 'Tells that a program of yours works on the tasks of a type, so that chains may name it',
    request: StepRegisterRequest,
    response: StepView,
    handler: async (body) => {
      await registerStepTypes(db, [foreignType(body, await isServedByUs(db, body.type))]);
      return viewOf((await readStepTypes(db)).get(body.type)!);
    },
  }),
];

function foreignType(body: StepRegisterRequest, servedByUs: boolean): StepTypeDocument {
  const { type, description = '', timeoutMs, place, configSchema } = body;
  const refuse = (field: string, value: unknown, expected: string) =>
    new RefusedError(errorBody('invalid', 'The step cannot be registered.', [{ field, value, expected }]));
  if (servedByUs) throw refuse('type', type, 'a type that no TypeScript service works on');
  if (configSchema && !isSchema(configSchema)) throw refuse('configSchema', configSchema, 'a JSON Schema');
  return {
    _id: type,
    builtIn: false,
    foreign: true,
    description,
    timeoutMs,
    updatedAt: Date.now(),
    ...(place && { place }),
    ...(configSchema && { configSchema: JSON.stringify(configSchema) }),
  };
}

/** One that cannot be compiled would fail every chain that names the step. */
function isSchema(schema: object): boolean {
  try {
    check(schema, {});
    return true;
  } catch {
    return false;
  }
}

const viewOf = ({
  type,
  builtIn,
  description,
  timeoutMs,
  needs,
  place,
  configSchema,
}: StepTypeFacts): StepView => ({
  type,
  builtIn,
  description,
  timeoutMs,
  needs: needs.map((each) => each.type),
  ...(place && { place }),
  configSchema,
});
