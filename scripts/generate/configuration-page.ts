import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Type from 'typebox';
import { describeConfig } from '../../lib/config/describe-config.ts';
import { serverConfig } from '../../lib/config/server-config.ts';
import type { Component } from '../../lib/service/component.ts';
import { simulatorConfig } from '../../services/smsc-simulator/config.ts';
import { checkoutDir } from '../servers/runtime-dir.ts';
import { NOTE, page } from './markdown.ts';

/** A program of its own, no component: importing its main.ts would start it. */
const PROGRAM = 'smsc-simulator';

async function components(): Promise<Component[]> {
  const services = join(checkoutDir, 'services');
  const names = readdirSync(services)
    .filter((name) => name !== PROGRAM && existsSync(join(services, name, 'main.ts')))
    .sort();
  const modules = await Promise.all(
    names.map(
      async (name) =>
        (await import(pathToFileURL(join(services, name, 'main.ts')).href)) as Record<string, unknown>,
    ),
  );
  return modules.flatMap((module) => Object.values(module)).filter(isComponent);
}

const isComponent = (value: unknown): value is Component =>
  typeof value === 'object' && value !== null && 'name' in value && 'switch' in value && 'start' in value;

/** docs/configuration.md */
export async function configurationPage(): Promise<string> {
  const all = await components();
  const switches = Type.Object(
    Object.fromEntries(
      all.map(({ name, summary, switch: variable }) => [
        variable,
        Type.Boolean({ default: true, description: `${name}: ${summary}` }),
      ]),
    ),
  );
  return page(
    NOTE,
    '# Configuration',
    'Everything is set by environment variables. A mistake stops the start, and every mistake is named at once. A secret may ' +
      'stand in a file instead: `NAME_FILE` has its path. An unknown `SMSBATCH_…` is a warning in the log.',
    '## Servers and process',
    describeConfig(serverConfig).trimEnd(),
    '## Which components run',
    'All of them do, unless they are named (`npm start -- batch steps`) or switched off.',
    describeConfig(switches).trimEnd(),
    ...all.flatMap(({ name, config }) => (config ? [`## ${name}`, describeConfig(config).trimEnd()] : [])),
    '## Simulated carrier',
    '`npx tsx services/smsc-simulator/main.ts`; each variable is a flag as well: `--smpp-port 2775`.',
    describeConfig(simulatorConfig).trimEnd(),
  );
}
