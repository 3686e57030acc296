import type { Reason } from '../../../lib/store/batch-document.ts';

export const SET_BACK = 'restored';

/** Why the batch stands, with how many recipients are unknown by now, and what to do about them. */
export const setBack = (unknown: number): Reason => ({
  code: SET_BACK,
  message:
    'MongoDB was set back to an earlier copy: whoever had no outcome in it may have been sent to since, becomes unknown and is not sent to again. ' +
    `${unknown} recipients are unknown now; recipients with outcomes ["unknown"] lists them. ` +
    'resume goes on without them; receipts resolve them; retry with a filter on unknown sends to them again.',
});
