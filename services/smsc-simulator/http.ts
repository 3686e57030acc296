import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { BehaviourChange } from './behaviour.ts';
import { behaviourFindings } from './behaviour-schema.ts';
import type { Simulator } from './control.ts';

const maxBodyBytes = 1024 * 1024;
const rowsPerWrite = 500;

interface Failure {
  code: string;
  message: string;
  errors: { field: string; value: unknown; expected: string }[];
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

function refuse(response: ServerResponse, status: number, failure: Failure): void {
  send(response, status, failure);
}

async function streamLedger(
  simulator: Pick<Simulator, 'messages'>,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const after = url.searchParams.get('after');
  if (after !== null && !/^-?\d+$/.test(after)) {
    const errors = [{ field: 'after', value: after, expected: 'the row of the last message seen' }];
    refuse(response, 400, { code: 'BAD_QUERY', message: `after is "${after}"`, errors });
    return;
  }
  const msisdn = url.searchParams.get('msisdn')?.replace(/^\+/, '');
  const query = {
    ...(after === null ? {} : { after: Number(after) }),
    ...(msisdn === undefined ? {} : { msisdn }),
  };
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  let lines: string[] = [];
  for (const message of simulator.messages(query)) {
    lines.push(JSON.stringify(message));
    if (lines.length < rowsPerWrite) continue;
    // After each block the loop gets its turn, so that a long read does not stop the SMSC.
    const taken = response.write(`${lines.join('\n')}\n`);
    lines = [];
    if (response.destroyed) return;
    if (!taken) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  response.end(lines.length > 0 ? `${lines.join('\n')}\n` : undefined);
}

async function changeRules(
  simulator: Pick<Simulator, 'change'>,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const body = await readBody(request);
  let change: unknown;
  try {
    change = JSON.parse(body ?? '');
  } catch {
    const errors = [{ field: '(body)', value: body?.slice(0, 80), expected: 'JSON of at most 1 MB' }];
    refuse(response, 400, { code: 'BAD_JSON', message: 'the body is not JSON', errors });
    return;
  }
  const errors = behaviourFindings(change);
  if (errors.length > 0)
    refuse(response, 400, { code: 'BAD_RULES', message: 'the behaviour is not understood', errors });
  else send(response, 200, simulator.change(change as BehaviourChange));
}

/** GET /ledger?after=&msisdn=, /summary, /rules; POST /rules, /reset, /disconnect. */
export async function startHttp(
  simulator: Pick<Simulator, 'behaviour' | 'change' | 'disconnectAll' | 'messages' | 'reset' | 'summary'>,
  host: string,
  port: number,
): Promise<{ port: number; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://simulator');
    route(request, response, url).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      if (response.headersSent) response.destroy();
      else refuse(response, 500, { code: 'INTERNAL', message, errors: [] });
    });
  });

  async function route(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /ledger':
        await streamLedger(simulator, url, response);
        return;
      case 'GET /summary':
        send(response, 200, await simulator.summary());
        return;
      case 'GET /rules':
        send(response, 200, simulator.behaviour);
        return;
      case 'POST /rules':
        await changeRules(simulator, request, response);
        return;
      case 'POST /reset':
        simulator.reset();
        send(response, 200, { reset: true });
        return;
      case 'POST /disconnect':
        send(response, 200, { disconnected: simulator.disconnectAll() });
        return;
      default: {
        const expected = 'GET /ledger, /summary, /rules; POST /rules, /reset, /disconnect';
        const asked = `${request.method} ${url.pathname}`;
        const errors = [{ field: 'path', value: asked, expected }];
        refuse(response, 404, { code: 'NOT_FOUND', message: `there is no ${asked}`, errors });
      }
    }
  }

  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
