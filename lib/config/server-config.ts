import Type, { type Static } from 'typebox';

/** What every service is told about its surroundings. A service adds its own: Type.Object({ ...serverConfig.properties, … }). */
export const serverConfig = Type.Object({
  NATS_URL: Type.String({
    default: 'nats://127.0.0.1:4222',
    // May carry a login: nats://user:password@host
    secret: true,
    expected: 'one or more NATS addresses, separated by commas',
    pattern: '^[^\\s]+(\\s*,\\s*[^\\s]+)*$',
    description: 'The NATS servers; JetStream has to be enabled',
  }),
  NATS_CREDS_FILE: Type.Optional(
    Type.String({ description: 'Credentials file (JWT and key) of the NATS user' }),
  ),
  NATS_USER: Type.Optional(Type.String({ description: 'NATS user name' })),
  NATS_PASSWORD: Type.Optional(Type.String({ secret: true, description: 'Password of NATS_USER' })),
  NATS_TOKEN: Type.Optional(Type.String({ secret: true, description: 'NATS token' })),
  NATS_TLS_CA_FILE: Type.Optional(
    Type.String({ description: 'PEM file of the authority that signed the NATS servers' }),
  ),
  NATS_TLS_CERT_FILE: Type.Optional(Type.String({ description: 'PEM file of the client certificate' })),
  NATS_TLS_KEY_FILE: Type.Optional(Type.String({ description: 'PEM file of its private key' })),
  NATS_INBOX_PREFIX: Type.Optional(
    Type.String({
      pattern: '^[^\\s.*>]+(\\.[^\\s.*>]+)*$',
      expected: 'a NATS subject',
      description: 'Where the account allows only some reply subjects',
    }),
  ),
  NATS_MONITOR_URL: Type.Optional(
    Type.String({
      pattern: '^https?://',
      expected: 'an http address',
      description: 'Monitoring port of the NATS server: there `sync_interval` is checked',
    }),
  ),
  NATS_REPLICAS: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 5,
    description: 'Copies of each stream; 3 in a cluster',
  }),
  MONGODB_URL: Type.String({
    default: 'mongodb://127.0.0.1:27017/?retryWrites=false',
    secret: true,
    pattern: '^mongodb(\\+srv)?://',
    expected: 'an address that begins with mongodb:// or mongodb+srv://',
    description: 'The system of record. Options in the address win over the built-in ones',
  }),
  MONGODB_DATABASE: Type.String({
    default: 'smsbatch',
    pattern: '^[A-Za-z0-9_-]{1,38}$',
    expected: '1 to 38 letters, digits, _ or -',
    description: 'Database in it',
  }),
  REDIS_ADDR: Type.String({
    default: '127.0.0.1:6379',
    secret: true,
    pattern: '^(rediss?://.+|[^\\s/:]+(:\\d+)?|\\[[0-9a-fA-F:]+\\](:\\d+)?)$',
    expected: 'host:port, or an address that begins with redis:// or rediss://',
    description: 'Redis: rates and views. It may be flushed at any moment',
  }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'Least severe log line that is written',
  }),
  HTTP_HOST: Type.String({
    default: '0.0.0.0',
    description: 'Address on which health and metrics are served',
  }),
  HTTP_PORT: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description:
        'Port of /livez, /readyz, /healthz and /metrics; 0: any free one, it is logged; unset: none',
    }),
  ),
  SHUTDOWN_TIMEOUT_MS: Type.Integer({
    default: 15_000,
    minimum: 100,
    maximum: 600_000,
    description: 'After SIGTERM: how long work under way may take, then the process exits with 1',
  }),
  HOST_ID: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-]{1,64}$',
      expected: '1 to 64 letters, digits, _ or -',
      description: 'Name of this process among the others. Default: host name, process id and a random part',
    }),
  ),
});

export type ServerConfig = Static<typeof serverConfig>;
