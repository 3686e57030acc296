import Type, { type Static } from 'typebox';
import { serverConfig } from '../../lib/config/server-config.ts';

/** Variables of the tables' service. */
export const tablesConfig = Type.Object({
  TABLE_IMPORT_DIRS: Type.Array(Type.String(), {
    default: [],
    description: 'Folders of this host from which files may be imported; none named: no local files',
  }),
  NATS_REPLICAS: serverConfig.properties.NATS_REPLICAS,
});
export type TablesConfig = Static<typeof tablesConfig>;
