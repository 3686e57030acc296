import { hash32 } from '../hash/hash32.ts';
import type { ConcatReference } from './udh.ts';

/**
 * The reference that ties the parts of one long message together, chosen without any shared counter.
 *
 * A phone joins parts by sender, recipient and reference, so a reference must not repeat for the same sender and
 * recipient while a set may still be incomplete. A recipient has one message in a batch (duplicates are outcomes), so
 * within a batch any choice would do; but some gateways join without looking at the recipient, so consecutive
 * positions take consecutive references: none repeats within 256 (or 65,536) messages of the batch. Batches start at
 * different places by a hash of their ID, so that two batches to one person at the same time meet in 1 of 256 (or
 * 65,536) cases. One counter for all traffic, as some gateways keep, is worse: it wraps in seconds.
 *
 * It is a function of batch and position, so that after a crash or pause the rest of a message goes out under
 * the reference of its first parts with nothing to remember. 0 is a legal reference.
 *
 * @param position the recipient's place in the batch, from 0
 */
export function concatReference(batchHash: number, position: number, kind: ConcatReference): number {
  return (batchHash + position) & (kind === 'udh8' ? 0xff : 0xffff);
}

/** Computed once a batch, for concatReference. */
export const batchHashOf = (batchId: string): number => hash32(batchId);
