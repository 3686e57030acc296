import type { JsMsg } from '@nats-io/jetstream';
import { EXTEND_EVERY_MS } from '../../contracts/streams.ts';

/**
 * Tells the server every `everyMs` that these messages are being worked on, until disposed of. With an `ack_wait` of 5 s
 * the message of a dead host goes elsewhere in 5 s, and that of a slow one stays.
 *
 * It beats only as long as this process turns its event loop, and no longer than `maxMs`: a handler that hangs for ever
 * must lose its message some time.
 */
export function keepAlive(
  messages: Iterable<JsMsg>,
  everyMs = EXTEND_EVERY_MS,
  maxMs = Infinity,
): Disposable {
  const end = performance.now() + maxMs;
  const timer = setInterval(() => {
    if (performance.now() >= end) return clearInterval(timer);
    // After its ack, `working` is a no-op in the client.
    for (const each of messages) each.working();
  }, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
