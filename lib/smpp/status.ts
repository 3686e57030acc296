/**
 * What a command_status means for the message, the link or the batch.
 * `throttled`: hold the link, no attempt spent. `transient`: try again, capped. `session`: rebind, the message is not to
 * blame. `recipient`: final for this recipient. `batch`: everyone else would fail as well. `inDoubt`: nobody knows.
 */
export type StatusClass = 'ok' | 'throttled' | 'transient' | 'session' | 'recipient' | 'batch' | 'inDoubt';

export interface CommandStatus {
  readonly code: number;
  readonly name: string;
  readonly class: StatusClass;
  /** For people. */
  readonly text: string;
}

type Row = readonly [code: number, name: string, statusClass: StatusClass, text: string];

// Some public lists have 0x4A, 0x4B, 0x4D and 0x4E where SMPP 3.4 has 0x50, 0x51, 0x53 and 0x54: both are here.
const rows: readonly Row[] = [
  [0x00, 'ESME_ROK', 'ok', 'accepted'],
  [0x01, 'ESME_RINVMSGLEN', 'batch', 'the message length is invalid'],
  [0x02, 'ESME_RINVCMDLEN', 'transient', 'the peer could not read the PDU: invalid command length'],
  [0x03, 'ESME_RINVCMDID', 'batch', 'the peer does not know this command'],
  [0x04, 'ESME_RINVBNDSTS', 'session', 'not allowed in this bind state'],
  [0x05, 'ESME_RALYBND', 'session', 'already bound, or too many sessions for this account'],
  [0x06, 'ESME_RINVPRTFLG', 'batch', 'the priority flag is invalid'],
  [0x07, 'ESME_RINVREGDLVFLG', 'batch', 'the registered delivery flag is invalid'],
  [0x08, 'ESME_RSYSERR', 'transient', 'system error at the carrier'],
  [0x0a, 'ESME_RINVSRCADR', 'batch', 'the sender is invalid or not allowed for this account'],
  [
    0x0b,
    'ESME_RINVDSTADR',
    'recipient',
    'the number is invalid, or its network is not enabled for this account',
  ],
  [0x0c, 'ESME_RINVMSGID', 'recipient', 'the message id is invalid'],
  [0x0d, 'ESME_RBINDFAIL', 'session', 'bind failed'],
  [0x0e, 'ESME_RINVPASWD', 'session', 'the password is wrong'],
  [0x0f, 'ESME_RINVSYSID', 'session', 'the system id is wrong'],
  [0x11, 'ESME_RCANCELFAIL', 'recipient', 'cancel failed'],
  [0x13, 'ESME_RREPLACEFAIL', 'recipient', 'replace failed'],
  [0x14, 'ESME_RMSGQFUL', 'throttled', 'the message queue is full'],
  [0x15, 'ESME_RINVSERTYP', 'batch', 'the service type is invalid'],
  [0x33, 'ESME_RINVNUMDESTS', 'batch', 'the number of destinations is invalid'],
  [0x34, 'ESME_RINVDLNAME', 'batch', 'the distribution list name is invalid'],
  [0x40, 'ESME_RINVDESTFLAG', 'batch', 'the destination flag is invalid'],
  [0x42, 'ESME_RINVSUBREP', 'batch', 'submit with replace is not supported'],
  [0x43, 'ESME_RINVESMCLASS', 'batch', 'esm_class is invalid'],
  [0x44, 'ESME_RCNTSUBDL', 'batch', 'cannot submit to a distribution list'],
  [0x45, 'ESME_RSUBMITFAIL', 'transient', 'submit failed, or more messages in flight than allowed'],
  [0x48, 'ESME_RINVSRCTON', 'batch', 'the type of the sender (TON) is invalid'],
  [0x49, 'ESME_RINVSRCNPI', 'batch', 'the numbering plan of the sender (NPI) is invalid'],
  [0x4a, 'ESME_RINVDSTTON', 'recipient', 'the type of the number (TON) is invalid'],
  [0x4b, 'ESME_RINVDSTNPI', 'recipient', 'the numbering plan of the number (NPI) is invalid'],
  [0x4d, 'ESME_RINVSYSTYP', 'session', 'the system type is invalid'],
  [0x4e, 'ESME_RINVREPFLAG', 'batch', 'the replace flag is invalid'],
  [0x50, 'ESME_RINVDSTTON', 'recipient', 'the type of the number (TON) is invalid'],
  [0x51, 'ESME_RINVDSTNPI', 'recipient', 'the numbering plan of the number (NPI) is invalid'],
  [0x53, 'ESME_RINVSYSTYP', 'session', 'the system type is invalid'],
  [0x54, 'ESME_RINVREPFLAG', 'batch', 'the replace flag is invalid'],
  [0x55, 'ESME_RINVNUMMSGS', 'batch', 'the number of messages is invalid'],
  [0x58, 'ESME_RTHROTTLED', 'throttled', 'too fast: over the rate that the carrier allows'],
  [0x61, 'ESME_RINVSCHED', 'batch', 'the scheduled delivery time is invalid'],
  [0x62, 'ESME_RINVEXPIRY', 'batch', 'the validity period is invalid'],
  [0x63, 'ESME_RINVDFTMSGID', 'batch', 'the predefined message does not exist'],
  [0x64, 'ESME_RX_T_APPN', 'transient', 'temporary error at the receiver'],
  [0x65, 'ESME_RX_P_APPN', 'recipient', 'permanent error at the receiver'],
  [0x66, 'ESME_RX_R_APPN', 'recipient', 'rejected by the receiver'],
  [0x67, 'ESME_RQUERYFAIL', 'recipient', 'query failed'],
  [0xc0, 'ESME_RINVTLVSTREAM', 'batch', 'the optional part of the message is invalid'],
  [0xc1, 'ESME_RTLVNOTALLWD', 'batch', 'an optional parameter is not allowed'],
  [0xc2, 'ESME_RINVTLVLEN', 'batch', 'an optional parameter has an invalid length'],
  [0xc3, 'ESME_RMISSINGTLV', 'batch', 'an optional parameter is missing'],
  [0xc4, 'ESME_RINVTLVVAL', 'batch', 'an optional parameter has an invalid value'],
  [0xfe, 'ESME_RDELIVERYFAILURE', 'transient', 'delivery failed at the carrier'],
  [0xff, 'ESME_RUNKNOWNERR', 'transient', 'unknown error at the carrier'],
  [0x100, 'ESME_RSERTYPUNAUTH', 'batch', 'the service type is not authorised for this account'],
  [0x101, 'ESME_RPROHIBITED', 'recipient', 'sending to this number is prohibited'],
  [0x102, 'ESME_RSERTYPUNAVAIL', 'batch', 'the service type is not available'],
  [0x103, 'ESME_RSERTYPDENIED', 'batch', 'the service type is denied'],
  [0x104, 'ESME_RINVDCS', 'batch', 'the data coding is invalid'],
];

export const commandStatuses: readonly CommandStatus[] = rows.map(([code, name, statusClass, text]) => ({
  code,
  name,
  class: statusClass,
  text,
}));

export type StatusTable = (code: number) => CommandStatus;

function hex(code: number): string {
  return `0x${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Unknown codes, 0x400 to 0x4FF and beyond above all, are the vendor's: final for the recipient unless overridden. */
function vendorStatus(code: number): CommandStatus {
  return {
    code,
    name: `VENDOR_${hex(code)}`,
    class: 'recipient',
    text: `refused with the carrier's own code ${hex(code)}`,
  };
}

/** A look-up of the standard codes with a provider's own on top. */
export function statusTable(
  overrides: readonly (Pick<CommandStatus, 'code' | 'class'> & Partial<CommandStatus>)[] = [],
): StatusTable {
  const byCode = new Map(commandStatuses.map((status) => [status.code, status]));
  for (const override of overrides) {
    const base = byCode.get(override.code) ?? vendorStatus(override.code);
    byCode.set(override.code, { ...base, ...override });
  }
  return (code) => byCode.get(code) ?? vendorStatus(code);
}

export const standardStatus: StatusTable = statusTable();
