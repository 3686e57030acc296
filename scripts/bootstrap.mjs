// `node scripts/bootstrap.mjs <name> [arguments]` runs scripts/<name>.ts (or a path that ends in .ts) in a fresh clone as
// well as in a used one: it checks Node's version, installs node_modules where package-lock.json asks for another one, and
// loads tsx. Plain JavaScript without a package: nothing is installed yet when it starts.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const inRoot = (path) => resolve(root, path);
const readJson = (path) => JSON.parse(readFileSync(inRoot(path), 'utf8'));

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function requireNode() {
  const floor = readJson('package.json').engines.node.replace('>=', '');
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [floorMajor, floorMinor] = floor.split('.').map(Number);
  if (major > floorMajor || (major === floorMajor && minor >= floorMinor)) return;
  fail(`smsbatch needs Node ${floor} or later, this is ${process.versions.node} (${process.execPath}).`);
}

/** npm writes node_modules/.package-lock.json last, so what it lists is there. */
export function isInstalled(wanted, installed) {
  return Object.entries(wanted.packages).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    const found = installed.packages[path];
    // An optional package may be one for another operating system.
    if (!found) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

function installPackages() {
  const installed = inRoot('node_modules/.package-lock.json');
  const wanted = readJson('package-lock.json');
  if (existsSync(installed) && isInstalled(wanted, readJson(installed))) return;
  process.stderr.write('node_modules: installing what package-lock.json lists (npm ci)\n');
  const started = Date.now();
  const npm = spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (npm.error) fail(`npm could not be run: ${npm.error.message}. It comes with Node; is it on PATH?`);
  if (npm.status !== 0)
    fail('npm ci failed, see above. It needs the npm registry: is there a network or a mirror?');
  process.stderr.write(`node_modules: ready in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

async function runScript() {
  const [name, ...args] = process.argv.slice(2);
  if (!name) fail('usage: node scripts/bootstrap.mjs <name> [arguments]');
  requireNode();
  installPackages();
  if (name === 'install') return;
  const script = inRoot(name.endsWith('.ts') ? name : `scripts/${name}.ts`);
  if (!existsSync(script)) fail(`there is no ${script}`);
  const tsx = import.meta.resolve('tsx');
  // For programs that this one forks: they are TypeScript too.
  process.execArgv.push('--import', tsx);
  process.argv = [process.argv[0], script, ...args];
  await import(tsx);
  await import(pathToFileURL(script).href);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runScript();
