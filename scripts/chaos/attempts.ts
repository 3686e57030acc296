import { appendFile } from 'node:fs/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { ApiError, callApi } from '../engine/api.ts';

/** One call of a user, and what came of it. */
export interface Attempt {
  batchId: string;
  verb: string;
  sentAtMs: number;
  answeredAtMs: number;
  /** `unknown`: no answer; it may have been obeyed, or may yet be. */
  outcome: 'ok' | 'refused' | 'unknown';
  code?: string;
  /** Of the batch, in the answer. */
  state?: string;
  /** It expected a version that the batch no longer had. */
  obeyedStale?: boolean;
}

const PATIENCE_MS = 12_000;

/** Calls the API as users do, and keeps a record of every attempt; also as a file, for whoever looks into a run. */
export class Attempts {
  readonly all: Attempt[] = [];
  readonly #nc: NatsConnection;
  readonly #file: string;

  constructor(nc: NatsConnection, file: string) {
    this.#nc = nc;
    this.#file = file;
  }

  async call(
    verb: string,
    body: { id: string } & Record<string, unknown>,
    patienceMs = PATIENCE_MS,
  ): Promise<Attempt> {
    const sentAtMs = Date.now();
    const attempt: Attempt = { batchId: body.id, verb, sentAtMs, answeredAtMs: 0, outcome: 'unknown' };
    // At once: while it is under way, it may be obeyed already.
    this.all.push(attempt);
    try {
      const answer = await callApi<{ state?: string; version?: number }>(
        this.#nc,
        'batch',
        verb,
        body,
        patienceMs,
      );
      const { state, version = 0 } = answer;
      attempt.outcome = 'ok';
      const { expectedVersion } = body;
      if (typeof expectedVersion === 'number') attempt.obeyedStale = version > expectedVersion + 1;
      if (state !== undefined) attempt.state = state;
    } catch (error) {
      if (error instanceof ApiError) {
        attempt.code = error.body.code;
        // Whoever could not reach a server, or heard nothing of the turn, does not know either.
        attempt.outcome = ['unavailable', 'timeout'].includes(error.body.code) ? 'unknown' : 'refused';
      } else attempt.code = (error as Error).name;
    }
    attempt.answeredAtMs = Date.now();
    await appendFile(this.#file, `${JSON.stringify(attempt)}\n`);
    return attempt;
  }

  of(batchId: string): Attempt[] {
    return this.all.filter((attempt) => attempt.batchId === batchId);
  }
}
