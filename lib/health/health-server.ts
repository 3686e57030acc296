import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Part, part } from '../lifecycle/part.ts';
import { type Checks, runChecks } from './checks.ts';

export interface HealthOptions {
  /** undefined: no server at all. 0: any free port. */
  port: number | undefined;
  host?: string;
  service: string;
  version: string;
  hostId: string;
  registry: Registry;
  log: Logger;
  /** Without all of these the service cannot do its work. More may be added while it starts. */
  checks?: Checks;
}

export interface HealthServer extends Part {
  /** The port it listens on; undefined while it does not. */
  port(): number | undefined;
  /** Adds checks for readiness, e.g. when a part has started. */
  addChecks(more: Checks): void;
  /** From now on /readyz says no: the first thing to do on SIGTERM (runUntilSignal's onStopping). */
  drain(): void;
}

/**
 * - `/livez`: 200 as long as the event loop turns.
 * - `/readyz`: 200 if every check holds and the service is not draining; else 503 and the reasons, a line each.
 * - `/healthz`: the same in detail, as JSON, always 200.
 * - `/metrics`: Prometheus.
 */
export function healthServer(options: HealthOptions): HealthServer {
  const { host = '0.0.0.0', service, version, hostId, registry, log } = options;
  const startedAt = new Date();
  let checks: Checks = options.checks ?? {};
  let draining = false;
  let port: number | undefined;

  const pages: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/livez': async (response) => text(response, 200, 'ok\n'),
    '/readyz': async (response) => {
      const failed = (await runChecks(checks)).filter((each) => !each.ok);
      const lines = failed.map((each) => `${each.name}: ${each.reason}\n`);
      if (draining) lines.unshift('draining\n');
      text(response, lines.length === 0 ? 200 : 503, lines.join('') || 'ok\n');
    },
    '/healthz': async (response) => {
      const results = await runChecks(checks);
      const ready = !draining && results.every((each) => each.ok);
      const uptimeSeconds = Math.round((Date.now() - startedAt.getTime()) / 1_000);
      const detail = { ready, draining, service, version, hostId, startedAt, uptimeSeconds, checks: results };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(`${JSON.stringify(detail, null, 2)}\n`);
    },
    '/metrics': async (response) => {
      const body = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType }).end(body);
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const page = pages[(request.url ?? '').split('?')[0] ?? ''];
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(response, 405, 'GET only\n');
    if (!page) return text(response, 404, `${Object.keys(pages).join('\n')}\n`);
    await page(response);
  }

  const running = part('health', async ({ defer }) => {
    if (options.port === undefined) return;
    const server = createServer((request, response) => {
      answer(request, response).catch((err) => {
        log.error({ err, path: request.url }, 'health page failed');
        if (!response.headersSent) text(response, 500, 'failed, see the log\n');
      });
    });
    server.listen(options.port, host);
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    log.info({ address: host, port }, 'health and metrics are served');
    defer(() => {
      port = undefined;
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
  });

  return {
    ...running,
    port: () => port,
    addChecks: (more) => {
      checks = { ...checks, ...more };
    },
    drain: () => {
      draining = true;
    },
  };
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}
