import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { checkoutDir } from '../servers/runtime-dir.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';
import { metricsPage } from './metrics-page.ts';
import { permissionsPage } from './permissions-page.ts';
import { README_SKELETON, withSection } from './readme-section.ts';
import { schemaFiles } from './schemas.ts';
import { stateDiagram } from './state-diagram.ts';
import { statesPage } from './states-page.ts';

/** What `npm run generate` writes: text by path; undefined = the file is to go. */
export type GeneratedFiles = ReadonlyMap<string, string | undefined>;

const SCHEMAS = 'contracts/schemas';

export const readIfThere = (path: string): string | undefined => {
  const whole = join(checkoutDir, path);
  return existsSync(whole) ? readFileSync(whole, 'utf8') : undefined;
};

export async function generatedFiles(): Promise<GeneratedFiles> {
  const files = new Map<string, string | undefined>(schemaFiles());
  for (const path of schemasThere()) if (!files.has(path)) files.set(path, undefined);
  files.set('docs/states.md', statesPage());
  files.set('docs/errors.md', errorsPage());
  files.set('docs/configuration.md', await configurationPage());
  files.set('docs/metrics.md', await metricsPage());
  files.set('docs/update-permissions.md', permissionsPage());
  files.set('README.md', withSection(readIfThere('README.md') ?? README_SKELETON, 'states', stateDiagram()));
  return files;
}

/** A schema that no contract stands behind any more would be believed for ever. */
function schemasThere(): string[] {
  const folder = join(checkoutDir, SCHEMAS);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(checkoutDir, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
}

/** Paths whose file is not what it should be. */
export const staleFiles = (files: GeneratedFiles): string[] =>
  [...files].filter(([path, text]) => readIfThere(path) !== text).map(([path]) => path);
