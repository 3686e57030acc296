import { createServer } from 'node:net';

// Below the ranges from which Linux (32768) and macOS (49152) take the ports of outgoing connections: one of ours could
// otherwise be taken by some client between a server's kill and its restart on the same port.
const lowest = 15_000;
const highest = 32_000;
const tries = 50;

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A TCP port on 127.0.0.1 that nothing listens on. Another process may still take it first: its server's start is tried anew. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isPortFree(port)) return port;
  }
  throw new Error(`no free TCP port on 127.0.0.1 between ${lowest} and ${highest} in ${tries} tries`);
}
