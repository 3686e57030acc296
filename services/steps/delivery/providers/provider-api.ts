import type { Db } from 'mongodb';
import { ProviderListAnswer, ProviderListRequest } from '../../../../contracts/provider-api.ts';
import { type ApiEndpoint, endpoint } from '../../../../lib/nats/micro.ts';
import { listAccounts } from '../../../../lib/provider/accounts.ts';
import type { ProviderSet } from './provider-set.ts';

/** `sms.api.provider.list`: which carrier accounts there are, and how they are connected in this process. */
export const providerEndpoints = (db: Db, providers: Pick<ProviderSet, 'get'>): ApiEndpoint[] => [
  endpoint({
    noun: 'provider',
    verb: 'list',
    description: 'Lists the carrier accounts that batches may name.',
    request: ProviderListRequest,
    response: ProviderListAnswer,
    async handler() {
      const accounts = await listAccounts(db);
      return {
        providers: accounts.map(({ _id, kind, tps, window, updatedAt }) => {
          const here = providers.get(_id)?.provider;
          const trouble = here?.trouble();
          return {
            name: _id,
            kind,
            tps,
            window,
            updatedAt: new Date(updatedAt).toISOString(),
            ...(here && { connected: trouble === undefined }),
            ...(trouble !== undefined && { trouble }),
          };
        }),
      };
    },
  }),
];
