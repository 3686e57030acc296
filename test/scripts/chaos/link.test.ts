import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, it } from 'node:test';
import { type Link, openLink } from '../../../scripts/chaos/link.ts';

/** Answers each line with itself. */
const echo = createServer((socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
let link: Link;

before(async () => {
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  link = await openLink({ host: '127.0.0.1', port: (echo.address() as { port: number }).port });
});
after(async () => {
  await link[Symbol.asyncDispose]();
  echo.close();
});

async function client(): Promise<Socket> {
  const socket = connect(link.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let found = '';
  while (found.length < text.length) found += String((await once(socket, 'data'))[0]);
  return found;
}

it('passes everything on; cut, it ends what is open and takes nothing new', async () => {
  link.set({ kind: 'open' });
  const socket = await client();
  const long = 'x'.repeat(300_000);
  assert.equal(await echoed(socket, long), long);
  const closed = once(socket, 'close');
  link.set({ kind: 'cut' });
  await closed;
  const refused = await client();
  await once(refused, 'close');
  link.set({ kind: 'open' });
  assert.equal(await echoed(await client(), 'again'), 'again');
});

it('late, it keeps the order, also when it is on time again', async () => {
  const socket = await client();
  link.set({ kind: 'late', delayMs: 200 });
  const sent = Array.from({ length: 60 }, (_, n) => String(n).padStart(4, '0'));
  let found = '';
  socket.on('data', (bytes) => {
    found += bytes;
  });
  for (const [n, each] of sent.entries()) {
    socket.write(each);
    if (n === 40) link.set({ kind: 'open' });
    await new Promise((resolve) => setTimeout(resolve, n % 4));
  }
  while (found.length < 4 * sent.length) await once(socket, 'data');
  assert.equal(found, sent.join(''));
});

it('half-open, nothing arrives and nobody is told; healed, the connection is gone', async () => {
  link.set({ kind: 'open' });
  const socket = await client();
  assert.equal(await echoed(socket, 'here'), 'here');
  link.set({ kind: 'half-open' });
  let told = false;
  for (const event of ['data', 'end', 'close']) socket.on(event, () => (told = true));
  socket.write('lost');
  const late = await client();
  late.write('lost');
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(told, false);
  const closed = once(socket, 'close');
  link.set({ kind: 'open' });
  await closed;
  assert.equal(await echoed(await client(), 'new'), 'new');
});
