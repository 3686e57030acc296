import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { generatedFiles, staleFiles } from './generate/generated-files.ts';
import { checkoutDir } from './servers/runtime-dir.ts';

/** Schemas, tables and diagrams from the contracts. --check writes nothing and exits 1 naming every stale file. */
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const files = await generatedFiles();
const stale = staleFiles(files);

if (values.check) {
  for (const path of stale) console.error(`${path} is stale: npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const path of stale) {
    const whole = join(checkoutDir, path);
    const text = files.get(path);
    if (text === undefined) {
      rmSync(whole);
    } else {
      mkdirSync(dirname(whole), { recursive: true });
      writeFileSync(whole, text);
    }
    console.log(`${text === undefined ? 'removed' : 'wrote'} ${path}`);
  }
  console.log(`${files.size} generated files, ${stale.length} changed`);
}
