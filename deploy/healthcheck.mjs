// The image's health check: there is no shell in it and no curl. Exit code 0 when the service says that it is ready.
const port = process.env.HTTP_PORT ?? '8080';
const withinMs = 3000;

try {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(withinMs) });
  if (!answer.ok) {
    process.stderr.write(`not ready: ${answer.status} ${await answer.text()}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`no answer on port ${port}: ${error.cause?.message ?? error.message}\n`);
  process.exitCode = 1;
}
