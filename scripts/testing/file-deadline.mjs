// Loaded before each test file: ends one that is not over in time, and says what kept it. Node 20's own --test-timeout
// does end a file, without a word why; that of Node 24 holds for single tests only, so that a timer or a connection
// that somebody forgot to close would keep the run for ever.
import { writeSync } from 'node:fs';
import process from 'node:process';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const graceMs = 5000;
const stderr = 2;

if (!isMainThread) {
  // The main thread did not get to its own timer: it is busy for ever.
  setTimeout(() => {
    writeSync(stderr, `not over after ${workerData} ms, and busy: an endless loop?\n`);
    process.kill(process.pid, 'SIGKILL');
  }, workerData + graceMs);
} else if (process.env.NODE_TEST_CONTEXT && process.env.SMSBATCH_TEST_FILE_MS) {
  const timeoutMs = Number(process.env.SMSBATCH_TEST_FILE_MS);
  // Not for the programs that the file starts.
  delete process.env.SMSBATCH_TEST_FILE_MS;
  setTimeout(() => {
    const open = process.getActiveResourcesInfo().filter((name) => name !== 'MessagePort');
    writeSync(stderr, `not over after ${timeoutMs} ms; still open: ${open.join(', ') || 'nothing'}\n`);
    process.exit(1);
  }, timeoutMs).unref();
  new Worker(new URL(import.meta.url), { workerData: timeoutMs, execArgv: [] }).unref();
}
