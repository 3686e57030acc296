import { MAX_WINDOW_MESSAGES } from '../../../lib/journal/window-size.ts';

/** Of a task that waits for its turn: messages that are due again must not wait for minutes. */
const DUE_AGAIN_MESSAGES = 10;

/** What one task may put into its next window. */
export interface WindowShare extends Disposable {
  /** Messages that were never sent; 0 while another task of the batch sends. */
  readonly fresh: number;
  /** Messages that are sent once more. */
  readonly again: number;
  /** Everything fresh is handed over: the next task of the batch may begin. */
  pass(): void;
}

export interface WindowShares {
  /** `wake` is called when the share may have grown. */
  join(batch: string, wake: () => void): WindowShare;
}

interface Member {
  batch: string;
  wake: () => void;
  passed: boolean;
}

/**
 * A killed process leaves in doubt what its intents covered. So the windows of all its tasks together are no larger than
 * one: batches share it, and within a batch one task sends while the next ones are taken and loaded. (Several small
 * windows at once would cost an intent each.)
 */
export function windowShares(total = MAX_WINDOW_MESSAGES): WindowShares {
  const members: Member[] = [];
  const heads = (): Map<string, Member> => {
    const first = new Map<string, Member>();
    for (const member of members) {
      if (!member.passed && !first.has(member.batch)) first.set(member.batch, member);
    }
    return first;
  };
  const wakeAll = () => {
    for (const { wake } of members) wake();
  };
  return {
    join(batch, wake) {
      const member: Member = { batch, wake, passed: false };
      members.push(member);
      const share = (): number => {
        const sending = heads();
        return sending.get(batch) === member ? Math.max(1, Math.floor(total / sending.size)) : 0;
      };
      return {
        get fresh() {
          return share();
        },
        get again() {
          return Math.max(share(), DUE_AGAIN_MESSAGES);
        },
        pass() {
          if (member.passed) return;
          member.passed = true;
          wakeAll();
        },
        [Symbol.dispose]() {
          const at = members.indexOf(member);
          if (at < 0) return;
          members.splice(at, 1);
          wakeAll();
        },
      };
    },
  };
}
