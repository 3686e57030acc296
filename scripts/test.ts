import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BUILT, build } from './engine/child-process.ts';
import { checkoutDir, newRunId, runtimeDir } from './servers/runtime-dir.ts';
import { type Servers, startServers } from './servers/start-servers.ts';
import { endLeaked, leakedProcesses, runMarker } from './testing/leaked-processes.ts';
import { findNatsCli } from './testing/nats-cli.ts';
import { allTestFiles, selectFiles } from './testing/select-files.ts';

const usage = `npm test -- [options] [words]
  words                 only test files whose path contains one of them (smpp, test/lib/nats); chaos and bench run only so
  --concurrency <n>     test files at a time (3)
  --timeout <seconds>   for each file (180; 900 with chaos or bench)
  --name <pattern>      only tests whose name matches
  --spec                every test's name, and output as it comes
`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        concurrency: { type: 'string', default: '3' },
        timeout: { type: 'string' },
        name: { type: 'string' },
        spec: { type: 'boolean', default: false },
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

/** Of the whole engine: the longest ones. */
const RIG = /\/rig\.ts'/;

/**
 * The longest first, those that need servers next, those that need the nats CLI when it is there; at the end many short ones
 * keep all lanes busy.
 */
async function readFiles(paths: readonly string[]): Promise<TestFile[]> {
  const files = await Promise.all(
    paths.map(async (path) => ({ path, source: await readFile(join(checkoutDir, path), 'utf8') })),
  );
  const rank = ({ path, source }: TestFile): number => {
    if (path.startsWith('test/interop/')) return 2;
    if (RIG.test(source)) return 0;
    if (/\/support\//.test(source) || path.startsWith('test/services/')) return 1;
    return 3;
  };
  return files.sort((a, b) => rank(a) - rank(b));
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

async function runFiles(files: readonly TestFile[], environment: NodeJS.ProcessEnv): Promise<boolean> {
  const { values } = options();
  const isSlow = files.some(({ path: file }) => /^test\/(chaos|bench)\//.test(file));
  const timeoutMs = Number(values.timeout ?? (isSlow ? 900 : 180)) * 1000;
  const reporter = values.spec ? 'spec' : new URL('./testing/reporter.mjs', import.meta.url).href;
  const deadline = new URL('./testing/file-deadline.mjs', import.meta.url).href;
  const args = ['--import', import.meta.resolve('tsx'), '--import', deadline];
  args.push('--test', `--test-reporter=${reporter}`, `--test-concurrency=${values.concurrency}`);
  if (values.name) args.push(`--test-name-pattern=${values.name}`);
  const child = spawn(process.execPath, [...args, ...files.map(({ path }) => path)], {
    cwd: checkoutDir,
    stdio: 'inherit',
    env: { ...environment, SMSBATCH_TEST_FILE_MS: `${timeoutMs}` },
  });
  const [code] = await once(child, 'exit');
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
  if (files.some(({ source }) => source.includes('findNatsCli'))) void findNatsCli();
  const isBuilt = await builtForEngines(files);
  const mongo = await sharedMongo(files, environment);
  say(`${files.length} test files, ${values.concurrency} at a time, Node ${process.versions.node}`);
  let passed: boolean;
  try {
    passed = await runFiles(files, {
      ...environment,
      [runMarker]: runId,
      SMSBATCH_TEST_FILES: `${files.length}`,
      ...(isBuilt && { [BUILT]: '1' }),
      ...(mongo && { SMSBATCH_TEST_MONGODB_URL: mongo.mongoUrl }),
    });
  } finally {
    await mongo?.stop();
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
