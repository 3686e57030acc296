import { setFlagsFromString } from 'node:v8';
import Type from 'typebox';
import { newHostId } from '../config/host-id.ts';
import { ConfigError, type Env, readConfig } from '../config/read-config.ts';
import { serverConfig } from '../config/server-config.ts';
import { unknownVariables } from '../config/unknown-variables.ts';
import { must } from '../health/checks.ts';
import { healthServer } from '../health/health-server.ts';
import { part } from '../lifecycle/part.ts';
import { runUntilSignal } from '../lifecycle/run-until-signal.ts';
import { createLogger } from '../log/logger.ts';
import { createRegistry } from '../metrics/registry.ts';
import type { Component } from './component.ts';
import { packageVersion, surroundings } from './surroundings.ts';

/** Exit codes of a process that does not start: wrong arguments or configuration, as of any command. */
const USAGE = 2;

/** The body of services/main.ts: the chosen components in one process, until SIGTERM. */
export async function runProcess(components: readonly Component[], names: string[], env: Env): Promise<void> {
  if (names.includes('--help') || names.includes('-h')) {
    console.log(usage(components));
    return;
  }
  const unknown = names.filter((name) => !components.some((each) => each.name === name));
  if (unknown.length > 0) {
    console.error(`There is no component ${unknown.join(', ')}.\n\n${usage(components)}`);
    process.exitCode = USAGE;
    return;
  }
  let chosen: readonly Component[];
  let config: ReturnType<typeof readAll>;
  try {
    config = readAll(components, env);
    const named = components.filter(({ name }) => names.length === 0 || names.includes(name));
    chosen = named.filter((each) => config.switches[each.switch] !== false);
    for (const each of chosen) each.checkConfig?.(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exitCode = USAGE;
    return;
  }
  collectGarbageSooner();
  await run(chosen, components, config.servers, env);
}

/**
 * V8 lets a heap grow to several times what lives in it before it collects, and a process that imports or sends would stand at
 * 350 MB with 40 MB in use. At half as much again it costs nothing that could be measured (docs/architecture.md).
 */
function collectGarbageSooner(): void {
  setFlagsFromString('--heap-growing-percent=50');
}

function readAll(components: readonly Component[], env: Env) {
  const switches = Type.Object(
    Object.fromEntries(
      components.map((each) => [
        each.switch,
        Type.Boolean({
          default: true,
          description: `Whether this process runs ${each.name}: ${each.summary}`,
        }),
      ]),
    ),
  );
  const problems: ConfigError['errors'][number][] = [];
  const read = <T>(what: () => T): T | undefined => {
    try {
      return what();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.errors);
      return undefined;
    }
  };
  const servers = read(() => readConfig(serverConfig, env));
  const switched = read(() => readConfig(switches, env));
  for (const { config } of components) if (config) read(() => readConfig(config, env));
  if (problems.length > 0) throw new ConfigError(problems);
  return { servers: servers!, switches: switched as Record<string, boolean> };
}

async function run(
  chosen: readonly Component[],
  all: readonly Component[],
  config: NonNullable<ReturnType<typeof readAll>['servers']>,
  env: Env,
): Promise<void> {
  const hostId = config.HOST_ID ?? newHostId();
  const names = chosen.map(({ name }) => name);
  const service = names.length === all.length ? 'smsbatch' : names.join('+');
  const version = packageVersion;
  const log = createLogger({ service, hostId, level: config.LOG_LEVEL, version });
  const schemas = [serverConfig, ...all.flatMap(({ config: own }) => (own ? [own] : []))];
  for (const warning of unknownVariables(env, schemas)) log.warn(warning);

  const registry = createRegistry({ service, version });
  const servers = surroundings({ config, env, hostId, registry, log });
  let started = false;
  const health = healthServer({
    port: config.HTTP_PORT,
    host: config.HTTP_HOST,
    service,
    version,
    hostId,
    registry,
    log,
    // From the first moment: components may take their time to connect to carriers.
    checks: { start: must(() => started, 'under way') },
  });
  const working = part('components', async ({ run: runInside, defer }) => {
    const parts = chosen.map((component) => component.start(servers.get()));
    for (const each of parts) await runInside(each);
    // Side by side: each waits for its own open pulls.
    defer(() => Promise.all(parts.map((each) => each.stop())));
  });
  const ready = part('ready', () => {
    const { nats, mongo } = servers.get();
    health.addChecks({
      nats: must(() => nats.connected(), 'disconnected'),
      mongodb: () => mongo.ping(),
    });
    started = true;
    log.info({ components: names, httpPort: health.port(), pid: process.pid }, 'ready');
  });
  await runUntilSignal([servers, health, working, ready], {
    log,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    onStopping: () => health.drain(),
  });
}

function usage(components: readonly Component[]): string {
  const rows = components.map(
    ({ name, summary, switch: variable }) => `  ${name.padEnd(10)} ${summary} (${variable})`,
  );
  return [
    'smsbatch [component…]: runs the components in this process; without a name, all of them.',
    '',
    ...rows,
    '',
    'Servers: NATS_URL, MONGODB_URL, REDIS_ADDR. Every variable: docs/configuration.md',
  ].join('\n');
}
