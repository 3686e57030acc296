import { headers, type MsgHdrs } from '@nats-io/transport-node';

/** What a message hands on to the messages that it causes. Never invented where it is absent. */
export const carriedHeaderNames = ['traceparent', 'tracestate', 'requestId'] as const;

export type HeaderValues = Readonly<Record<string, string | undefined>>;

/** The headers to hand on from a message that was received. */
export function carriedFrom(received: MsgHdrs | undefined): Record<string, string> {
  const carried: Record<string, string> = {};
  for (const name of carriedHeaderNames) {
    const value = received?.get(name);
    if (value) carried[name] = value;
  }
  return carried;
}

/**
 * A new header object. New for each try, too: `js.publish` writes the message id into the object it is given, and the
 * next publish with that object would be answered "duplicate" and not stored.
 */
export function freshHeaders(values: HeaderValues = {}): MsgHdrs {
  const fresh = headers();
  for (const [name, value] of Object.entries(values)) {
    // A line break would end the header block: the client refuses it, and a reason in words may hold one.
    if (value !== undefined) fresh.set(name, value.replace(/[\r\n]+/g, ' '));
  }
  return fresh;
}
