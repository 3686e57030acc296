import Type, { type Static } from 'typebox';

/** Variables of the simulated carrier. Each is a flag as well: --smpp-port 2775. */
export const simulatorConfig = Type.Object({
  SIMULATOR_HOST: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
  SIMULATOR_SMPP_PORT: Type.Integer({
    default: 2775,
    minimum: 0,
    maximum: 65535,
    description: '0 = a free one.',
  }),
  SIMULATOR_HTTP_PORT: Type.Integer({
    default: 8775,
    minimum: 0,
    maximum: 65535,
    description: '0 = a free one.',
  }),
  SIMULATOR_SYSTEM_ID: Type.String({
    default: '',
    description: 'The only account; empty = everyone may bind.',
  }),
  SIMULATOR_PASSWORD: Type.String({ default: '', secret: true, description: 'Of SIMULATOR_SYSTEM_ID.' }),
  SIMULATOR_MAX_BINDS: Type.Integer({
    default: 0,
    minimum: 0,
    description: 'Binds an account; 0 = no limit.',
  }),
  SIMULATOR_DELIVER_WINDOW: Type.Integer({
    default: 1_000,
    minimum: 1,
    maximum: 65_535,
    description: 'Receipts a bind that may be unanswered at once.',
  }),
  SIMULATOR_LEDGER: Type.Union([Type.Literal('full'), Type.Literal('counts')], {
    default: 'full',
    description: 'full keeps each message, about 150 bytes; counts keeps none.',
  }),
  SIMULATOR_LATENCY_MS: Type.Number({ default: 0, minimum: 0, description: 'Time to the answer.' }),
  SIMULATOR_TPS: Type.Number({ default: 0, minimum: 0, description: 'Segments a second; 0 = no limit.' }),
  SIMULATOR_BEHAVIOUR: Type.String({
    default: '{}',
    description: 'The rest of the behaviour, as JSON (POST /rules).',
  }),
});

export type SimulatorConfig = Static<typeof simulatorConfig>;
