import type { MessageView } from '../../lib/smpp/read-message.ts';
import { decodeTlvs, type Tlvs } from '../../lib/smpp/tlv.ts';
import { type Concatenation, parseUserDataHeader } from '../../lib/sms/udh.ts';

const userDataHeaderBit = 0x40;

interface OpenSet {
  rows: (number | undefined)[];
  missing: number;
}

/** Whether a message is one part of several, by user data header or by the sar TLVs. */
export function concatenationOf(view: MessageView, tlvs: Tlvs | undefined): Concatenation | undefined {
  if ((view.esmClass & userDataHeaderBit) !== 0) {
    return parseUserDataHeader(view.bytes.subarray(view.shortMessageStart, view.shortMessageEnd))
      ?.concatenation;
  }
  const reference = tlvs?.sar_msg_ref_num;
  const total = tlvs?.sar_total_segments;
  const sequence = tlvs?.sar_segment_seqnum;
  if (reference === undefined || total === undefined || sequence === undefined) return undefined;
  return total > 0 && sequence > 0 && sequence <= total
    ? { kind: 'udh16', reference, total, sequence }
    : undefined;
}

export function tlvsOf(view: MessageView): Tlvs | undefined {
  return view.tlvStart < view.end ? decodeTlvs(view.bytes, view.tlvStart, view.end) : undefined;
}

/** Puts the parts of long messages together, as the handset does: by sender, destination and reference, whatever bind they came over. */
export class Reassembly {
  #open = new Map<string, OpenSet>();
  /** Rows of complete messages of several parts, in order of the text, by the lowest row. */
  readonly complete = new Map<number, number[]>();
  /** Each row of a complete message to its lowest row. */
  readonly headOf = new Map<number, number>();
  /** The same part again while its message is incomplete. */
  doubledParts = 0;

  get openSets(): number {
    return this.#open.size;
  }

  /** Returns the lowest row of the message if this part completes it. */
  add(view: MessageView, part: Concatenation, row: number): number | undefined {
    const { bytes, sourceStart, sourceEnd, destinationStart, destinationEnd } = view;
    const source = bytes.toString('latin1', sourceStart, sourceEnd);
    const destination = bytes.toString('latin1', destinationStart, destinationEnd);
    const key = `${source}|${destination}|${part.kind}|${part.reference}|${part.total}`;
    let set = this.#open.get(key);
    if (set === undefined) {
      set = { rows: new Array<number | undefined>(part.total).fill(undefined), missing: part.total };
      this.#open.set(key, set);
    }
    if (set.rows[part.sequence - 1] !== undefined) {
      this.doubledParts += 1;
      return undefined;
    }
    set.rows[part.sequence - 1] = row;
    set.missing -= 1;
    if (set.missing > 0) return undefined;
    this.#open.delete(key);
    const rows = set.rows as number[];
    const head = Math.min(...rows);
    if (row >= 0) {
      this.complete.set(head, rows);
      for (const each of rows) this.headOf.set(each, head);
    }
    return head;
  }

  clear(): void {
    this.#open = new Map();
    this.complete.clear();
    this.headOf.clear();
    this.doubledParts = 0;
  }
}
