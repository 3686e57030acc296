import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

/** A host's name among the others: readable in logs, a legal NATS subject token, and never used twice. */
export function newHostId(name: string = hostname()): string {
  const readable = name.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 40) || 'host';
  return `${readable}-${process.pid}-${randomBytes(3).toString('hex')}`;
}
