import { parseArgs } from 'node:util';
import { readConfig } from '../../lib/config/read-config.ts';
import { checkBehaviour } from './behaviour-schema.ts';
import { type SimulatorConfig, simulatorConfig } from './config.ts';
import { startSimulator } from './simulator.ts';

function environment(): Record<string, string | undefined> {
  const names = Object.keys(simulatorConfig.properties);
  const flag = (name: string): string => name.replace('SIMULATOR_', '').toLowerCase().replaceAll('_', '-');
  const options = Object.fromEntries(names.map((name) => [flag(name), { type: 'string' as const }]));
  const { values } = parseArgs({ options });
  const given = names.map((name) => [name, (values as Record<string, string | undefined>)[flag(name)]]);
  return { ...process.env, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

/** Listens for SMPP and for HTTP; connects to nothing. */
async function main(): Promise<void> {
  const config: SimulatorConfig = readConfig(simulatorConfig, environment());
  const behaviour = checkBehaviour(JSON.parse(config.SIMULATOR_BEHAVIOUR));
  const simulator = await startSimulator({
    host: config.SIMULATOR_HOST,
    smppPort: config.SIMULATOR_SMPP_PORT,
    httpPort: config.SIMULATOR_HTTP_PORT,
    ...(config.SIMULATOR_SYSTEM_ID === ''
      ? {}
      : { accounts: { [config.SIMULATOR_SYSTEM_ID]: config.SIMULATOR_PASSWORD } }),
    maxBinds: config.SIMULATOR_MAX_BINDS,
    deliverWindow: config.SIMULATOR_DELIVER_WINDOW,
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
