import { encodePdu } from './codec.ts';
import type { SessionSettings } from './session-options.ts';

const smppVersion34 = 0x34;

/** Throws SmppEncodeError for credentials that do not fit. */
export function encodeBind(settings: SessionSettings, sequenceNumber: number): Buffer {
  return encodePdu(
    {
      command: `bind_${settings.bindType}`,
      sequenceNumber,
      body: {
        system_id: settings.systemId,
        password: settings.password,
        system_type: settings.systemType,
        interface_version: smppVersion34,
        addr_ton: settings.addressTon,
        addr_npi: settings.addressNpi,
        address_range: settings.addressRange,
      },
    },
    { checkLengths: settings.checkCredentialLengths },
  );
}
