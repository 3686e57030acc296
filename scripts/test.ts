import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { BUILT, build } from './engine/child-process.ts';
import { checkoutDir, newRunId, runtimeDir } from './servers/runtime-dir.ts';
import { type Servers, startServers } from './servers/start-servers.ts';
import { COMPILED, compileSources } from './testing/compile.ts';
import { durationsOf, keepDurations } from './testing/durations.ts';
import { endLeaked, leakedProcesses, runMarker } from './testing/leaked-processes.ts';
import { findNatsCli } from './testing/nats-cli.ts';
import { longestFirst } from './testing/order-files.ts';
import { allTestFiles, selectFiles } from './testing/select-files.ts';

const usage = `npm test -- [options] [words]
  words                 only test files whose path contains one of them (smpp, test/lib/nats); chaos and bench run only so
  --concurrency <n>     test files at a time (4)
  --timeout <seconds>   for each file (180; 900 with chaos or bench)
  --name <pattern>      only tests whose name matches
  --spec                every test's name, and output as it comes
  --record              keep how long each file took in test/durations.json, by which they are ordered
`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        concurrency: { type: 'string', default: '4' },
        timeout: { type: 'string' },
        name: { type: 'string' },
        spec: { type: 'boolean', default: false },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

interface TestFile {
  path: string;
  source: string;
}

/** Of the whole engine. */
const RIG = /\/rig\.ts'/;

const NATS_CLI = /findNatsCli/;

async function readFiles(paths: readonly string[]): Promise<TestFile[]> {
  return Promise.all(
    paths.map(async (path) => ({ path, source: await readFile(join(checkoutDir, path), 'utf8') })),
  );
}

async function inOrder(files: readonly TestFile[]): Promise<string[]> {
  const sources = new Map(files.map(({ path, source }) => [path, source]));
  return longestFirst([...sources.keys()], await durationsOf(), {
    isLong: (path) => RIG.test(sources.get(path)!),
    // The nats CLI may have to be compiled first.
    isLate: (path) => NATS_CLI.test(sources.get(path)!),
  });
}

/** The MongoDB-compatible server that the files share; null where none of them needs it or the caller brings one. */
async function sharedMongo(
  files: readonly TestFile[],
  environment: NodeJS.ProcessEnv,
): Promise<Servers | null> {
  if (environment.SMSBATCH_TEST_MONGODB_URL) return null;
  if (!files.some(({ source }) => /\/support\//.test(source))) return null;
  const { MONGODB_URL: _notForTests, ...own } = environment;
  const servers = await startServers({ servers: ['mongo'], label: 'shared', environment: own });
  const [mongo] = servers.started;
  say(`${mongo?.title}, shared by the test files: ready in ${((mongo?.readyMs ?? 0) / 1000).toFixed(1)} s`);
  return servers;
}

/** Tests of the whole engine start many processes of it. */
async function builtForEngines(files: readonly TestFile[]): Promise<boolean> {
  if (!files.some(({ source }) => RIG.test(source))) return false;
  await build();
  return true;
}

async function runFiles(files: readonly string[], environment: NodeJS.ProcessEnv): Promise<boolean> {
  const { values } = options();
  const isSlow = files.some((path) => /^test\/(chaos|bench)\//.test(path));
  const timeoutMs = Number(values.timeout ?? (isSlow ? 900 : 180)) * 1000;
  const beside = (file: string): string => fileURLToPath(new URL(`./testing/${file}`, import.meta.url));
  const args = [
    '--enable-source-maps',
    '--import',
    beside('compiled.mjs'),
    '--import',
    beside('file-deadline.mjs'),
  ];
  args.push(beside('run-files.mjs'), `--concurrency=${values.concurrency}`);
  if (values.name) args.push(`--name=${values.name}`);
  if (values.spec) args.push('--spec');
  const record = join(environment.SMSBATCH_LOG_DIR!, 'seconds.json');
  if (values.record) args.push(`--record=${record}`);
  const child = spawn(process.execPath, [...args, ...files], {
    cwd: checkoutDir,
    stdio: 'inherit',
    env: { ...environment, SMSBATCH_TEST_FILE_MS: `${timeoutMs}` },
  });
  const [code] = await once(child, 'exit');
  if (values.record && code === 0) await keepDurations(record);
  return code === 0;
}

async function main(): Promise<number> {
  const { values, positionals: words } = options();
  if (values.help) {
    say(usage);
    return 0;
  }
  const files = await readFiles(selectFiles(await allTestFiles(checkoutDir), words));
  if (files.length === 0) {
    process.stderr.write(
      `no file under test/ has ${words.map((word) => `"${word}"`).join(' or ')} in its path\n`,
    );
    return 1;
  }
  const runId = newRunId();
  const logDir = join(runtimeDir(), 'logs', `${runId}-test`);
  await mkdir(logDir, { recursive: true });
  const environment: NodeJS.ProcessEnv = { ...process.env, SMSBATCH_LOG_DIR: logDir };
  // Compiled meanwhile, where it has to be; the tests that need it wait for it.
  if (files.some(({ source }) => NATS_CLI.test(source))) void findNatsCli();
  const [compiled, isBuilt, mongo] = await Promise.all([
    compileSources(runId),
    builtForEngines(files),
    sharedMongo(files, environment),
  ]);
  say(`${files.length} test files, ${values.concurrency} at a time, Node ${process.versions.node}`);
  let passed: boolean;
  try {
    passed = await runFiles(await inOrder(files), {
      ...environment,
      [runMarker]: runId,
      [COMPILED]: `${pathToFileURL(checkoutDir)} ${pathToFileURL(`${compiled}/`)}`,
      SMSBATCH_TEST_FILES: `${files.length}`,
      ...(isBuilt && { [BUILT]: '1' }),
      ...(mongo && { SMSBATCH_TEST_MONGODB_URL: mongo.mongoUrl }),
    });
  } finally {
    await mongo?.stop();
    await rm(compiled, { recursive: true, force: true });
  }
  const leaked = await leakedProcesses(runId);
  endLeaked(leaked);
  for (const { pid, command } of leaked)
    say(`✖ left running by a test, ended now: ${pid} ${command.slice(0, 160)}`);
  if (passed && leaked.length === 0) {
    await rm(logDir, { recursive: true, force: true });
    return 0;
  }
  say(`The servers' logs: ${logDir}`);
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
