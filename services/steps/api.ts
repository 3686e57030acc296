import { StepListRequest, StepListResponse, type StepView } from '../../contracts/step-api.ts';
import { type ApiEndpoint, endpoint } from '../../lib/nats/micro.ts';
import type { StepTypeFacts } from '../../lib/steps/built-in.ts';
import { readStepTypes } from '../../lib/steps/step-types.ts';
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
];

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
