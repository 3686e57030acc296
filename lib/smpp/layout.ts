import type { CommandName } from './pdu.ts';

/**
 * The mandatory fields of every SMPP 3.4 PDU, in wire order, by the specification's names (§4). `maxOctets` counts the
 * terminating NUL, as the specification does.
 */
export type Field =
  | { readonly kind: 'int8' }
  | { readonly kind: 'cString'; readonly maxOctets: number }
  | { readonly kind: 'time' }
  | { readonly kind: 'shortMessage' }
  | { readonly kind: 'destinations' }
  | { readonly kind: 'unsuccessful' };

export type Destination =
  | { dest_addr_ton: number; dest_addr_npi: number; destination_addr: string }
  | { dl_name: string };

export interface Unsuccessful {
  dest_addr_ton: number;
  dest_addr_npi: number;
  destination_addr: string;
  error_status_code: number;
}

export type FieldValue<F> = F extends { kind: 'int8' }
  ? number
  : F extends { kind: 'shortMessage' }
    ? Uint8Array
    : F extends { kind: 'destinations' }
      ? Destination[]
      : F extends { kind: 'unsuccessful' }
        ? Unsuccessful[]
        : string;

const int8 = { kind: 'int8' } as const;
const time = { kind: 'time' } as const;
const shortMessage = { kind: 'shortMessage' } as const;
const cString = <const N extends number>(maxOctets: N) => ({ kind: 'cString', maxOctets }) as const;

const messageId = { message_id: cString(65) } as const;
const source = { source_addr_ton: int8, source_addr_npi: int8, source_addr: cString(21) } as const;
const destination = { dest_addr_ton: int8, dest_addr_npi: int8, destination_addr: cString(21) } as const;
const credentials = { system_id: cString(16), password: cString(9) } as const;
const bind = {
  ...credentials,
  system_type: cString(13),
  interface_version: int8,
  addr_ton: int8,
  addr_npi: int8,
  address_range: cString(41),
} as const;
const bindAnswer = { system_id: cString(16) } as const;
const message = {
  esm_class: int8,
  protocol_id: int8,
  priority_flag: int8,
  schedule_delivery_time: time,
  validity_period: time,
  registered_delivery: int8,
  replace_if_present_flag: int8,
  data_coding: int8,
  sm_default_msg_id: int8,
  short_message: shortMessage,
} as const;
const submit = { service_type: cString(6), ...source, ...destination, ...message } as const;
const empty = {} as const;

export const layouts = {
  generic_nack: empty,
  bind_receiver: bind,
  bind_receiver_resp: bindAnswer,
  bind_transmitter: bind,
  bind_transmitter_resp: bindAnswer,
  query_sm: { ...messageId, ...source },
  query_sm_resp: { ...messageId, final_date: time, message_state: int8, error_code: int8 },
  submit_sm: submit,
  submit_sm_resp: messageId,
  deliver_sm: submit,
  deliver_sm_resp: messageId,
  unbind: empty,
  unbind_resp: empty,
  replace_sm: {
    ...messageId,
    ...source,
    schedule_delivery_time: time,
    validity_period: time,
    registered_delivery: int8,
    sm_default_msg_id: int8,
    short_message: shortMessage,
  },
  replace_sm_resp: empty,
  cancel_sm: { service_type: cString(6), ...messageId, ...source, ...destination },
  cancel_sm_resp: empty,
  bind_transceiver: bind,
  bind_transceiver_resp: bindAnswer,
  outbind: credentials,
  enquire_link: empty,
  enquire_link_resp: empty,
  submit_multi: {
    service_type: cString(6),
    ...source,
    dest_address: { kind: 'destinations' },
    ...message,
  },
  submit_multi_resp: { ...messageId, unsuccess_sme: { kind: 'unsuccessful' } },
  alert_notification: {
    source_addr_ton: int8,
    source_addr_npi: int8,
    source_addr: cString(65),
    esme_addr_ton: int8,
    esme_addr_npi: int8,
    esme_addr: cString(65),
  },
  data_sm: {
    service_type: cString(6),
    source_addr_ton: int8,
    source_addr_npi: int8,
    source_addr: cString(65),
    dest_addr_ton: int8,
    dest_addr_npi: int8,
    destination_addr: cString(65),
    esm_class: int8,
    registered_delivery: int8,
    data_coding: int8,
  },
  data_sm_resp: messageId,
} as const satisfies Record<CommandName, Readonly<Record<string, Field>>>;

export type PduBody<C extends CommandName> = {
  -readonly [F in keyof (typeof layouts)[C]]: FieldValue<(typeof layouts)[C][F]>;
};
