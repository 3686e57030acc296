export interface FieldFinding {
  field: string;
  value: string;
  expected: string;
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** A value that cannot be put on the wire: the caller's mistake, nothing was written. */
export class SmppEncodeError extends Error {
  readonly code = 'SMPP_FIELD_INVALID';
  readonly errors: FieldFinding[];

  constructor(command: string, field: string, value: unknown, expected: string) {
    super(`${command}: ${field} is "${shown(value)}", expected ${expected}`);
    this.name = 'SmppEncodeError';
    this.errors = [{ field, value: shown(value), expected }];
  }
}

/** A PDU of the peer that cannot be read. `commandStatus` is what the specification answers it with. */
export class SmppDecodeError extends Error {
  readonly code = 'SMPP_PDU_INVALID';
  readonly errors: FieldFinding[];
  readonly commandStatus: number;

  constructor(command: string, field: string, value: unknown, expected: string, commandStatus = 0x02) {
    super(`${command}: ${field} is "${shown(value)}", expected ${expected}`);
    this.name = 'SmppDecodeError';
    this.errors = [{ field, value: shown(value), expected }];
    this.commandStatus = commandStatus;
  }
}
