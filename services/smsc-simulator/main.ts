import { parseArgs } from 'node:util';
import { type Static, Type } from 'typebox';
import { readConfig } from '../../lib/config/read-config.ts';
import { checkBehaviour } from './behaviour-schema.ts';
import { startSimulator } from './simulator.ts';

/** Listens for SMPP and for HTTP; connects to nothing. Each variable is a flag as well: --smpp-port 2775. */
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

type Config = Static<typeof simulatorConfig>;

function environment(): Record<string, string | undefined> {
  const names = Object.keys(simulatorConfig.properties);
  const flag = (name: string): string => name.replace('SIMULATOR_', '').toLowerCase().replaceAll('_', '-');
  const options = Object.fromEntries(names.map((name) => [flag(name), { type: 'string' as const }]));
  const { values } = parseArgs({ options });
  const given = names.map((name) => [name, (values as Record<string, string | undefined>)[flag(name)]]);
  return { ...process.env, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

async function main(): Promise<void> {
  const config: Config = readConfig(simulatorConfig, environment());
  const behaviour = checkBehaviour(JSON.parse(config.SIMULATOR_BEHAVIOUR));
  const simulator = await startSimulator({
    host: config.SIMULATOR_HOST,
    smppPort: config.SIMULATOR_SMPP_PORT,
    httpPort: config.SIMULATOR_HTTP_PORT,
    ...(config.SIMULATOR_SYSTEM_ID === ''
      ? {}
      : { accounts: { [config.SIMULATOR_SYSTEM_ID]: config.SIMULATOR_PASSWORD } }),
    maxBinds: config.SIMULATOR_MAX_BINDS,
    ledger: config.SIMULATOR_LEDGER,
    behaviour: { latencyMs: config.SIMULATOR_LATENCY_MS, tpsLimit: config.SIMULATOR_TPS, ...behaviour },
  });
  const { smppPort, httpPort } = simulator;
  // One line of JSON, which the tests and scripts that start this program read.
  console.log(JSON.stringify({ ready: true, smppPort, httpPort, pid: process.pid }));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void simulator.stop());
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
