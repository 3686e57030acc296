import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { createServer } from 'node:tls';
import { ServerSession } from '../../../lib/smpp/server-session.ts';
import { clientOf, messageTo } from './peers.ts';

const fixture = (name: string): Buffer => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const cert = fixture('localhost-cert.pem');

async function tlsServer() {
  const sessions: ServerSession<never>[] = [];
  const server = createServer({ cert, key: fixture('localhost-key.pem') }, (socket) => {
    const session = new ServerSession<never>(socket, {
      onBind: () => 0,
      onSubmit: (view) => session.answerSubmit(view.sequenceNumber, 0, `id${view.sequenceNumber}`),
    });
    sessions.push(session);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.close();
      server.close();
      await once(server, 'close');
    },
  };
}

it('over TLS: 5000 messages at a window of 50, each answered once', async () => {
  await using server = await tlsServer();
  let next = 0;
  const client = clientOf(
    server.port,
    { window: 50, tls: { ca: cert, servername: 'localhost' } },
    {
      onRoom: () => {
        while (client.session.room > 0 && next < 5000) client.session.submit(messageTo(String(next)), next++);
      },
    },
  );
  await using session = client.session;
  session.start();
  const answers = await client.answers.count('answer', 5000, 20_000);
  assert.equal(new Set(answers.map(({ tag }) => tag)).size, 5000);
  assert.ok(answers.every(({ answer }) => answer.kind === 'answered'));
});

it('over TLS with a certificate that nobody vouches for: closed with the reason', async () => {
  await using server = await tlsServer();
  const client = clientOf(server.port, { tls: { servername: 'localhost' } });
  await using session = client.session;
  session.start();
  const closed = await client.states.first('close', ({ kind }) => kind === 'closed');
  assert.ok(closed.kind === 'closed' && closed.reason === 'connectFailed', JSON.stringify(closed));
  assert.match(closed.detail, /self.signed/i);
});
