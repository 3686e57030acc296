import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { maskLine } from './mask-line.ts';

export type { Logger } from 'pino';

export interface LoggerOptions {
  service: string;
  hostId: string;
  /** fatal, error, warn, info, debug, trace or silent. */
  level?: string;
  version?: string;
  /** Default: stdout. */
  destination?: DestinationStream;
}

const secretFields = ['password', 'pass', 'token', 'secret', 'apiKey', 'authorization', 'creds', 'systemId'];

/**
 * One JSON object a line on stdout: `time` (RFC 3339, UTC), `level` in words, `service`, `host`, `msg`, and what the caller
 * adds. Phone numbers and logins are masked in every string, secrets removed by name.
 */
export function createLogger({
  service,
  hostId,
  level = 'info',
  version,
  destination,
}: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { service, host: hostId, ...(version && { version }) },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: secretFields.flatMap((each) => [each, `*.${each}`]),
        censor: '***',
      },
      hooks: { streamWrite: maskLine },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** The log of one batch's affairs. */
export function forBatch(log: Logger, batchId: string): Logger {
  return log.child({ batchId });
}

/** For tests. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
