import { decodeGsm7 } from '../../lib/sms/gsm0338.ts';
import { decodeUcs2 } from '../../lib/sms/ucs2.ts';
import { parseUserDataHeader } from '../../lib/sms/udh.ts';

/** The text of one segment without its header, as a handset would show it; binary as hexadecimal. */
export function segmentText(bytes: Uint8Array, esmClass: number, dataCoding: number): string {
  const header = (esmClass & 0x40) === 0 ? 0 : (parseUserDataHeader(bytes)?.octets ?? 0);
  const text = bytes.subarray(header);
  if (dataCoding >= 0xf0)
    return (dataCoding & 0x04) === 0 ? decodeGsm7(text) : Buffer.from(text).toString('hex');
  switch (dataCoding & 0x0f) {
    case 0:
      return decodeGsm7(text);
    case 1:
    case 3:
      return Buffer.from(text).toString('latin1');
    case 8:
      return decodeUcs2(text);
    default:
      return Buffer.from(text).toString('hex');
  }
}
