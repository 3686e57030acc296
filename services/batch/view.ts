import type { BatchView } from '../../contracts/batch-api.ts';
import { stateName } from '../../contracts/states.ts';
import type { BatchFigures } from '../../lib/stats/read-status.ts';
import type { BatchDocument } from '../../lib/store/batch-document.ts';
import { countsOf } from './decide/phases.ts';

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

export interface ViewOptions {
  history?: boolean;
  /** What status says of it; absent = what the actor itself knows: tasks that are out are not in it. */
  figures?: BatchFigures | undefined;
}

/** A batch as callers see it. */
export function viewOf(doc: BatchDocument, { history, figures }: ViewOptions = {}): BatchView {
  const { parent, size, reason, work, stopping, totals } = doc;
  const sent = doc.deliveryBegan ? (figures?.segments ?? totals.delivery?.segments) : undefined;
  const view = {
    id: doc._id,
    incarnation: doc.incarnation,
    version: doc.version,
    state: stateName(doc.state),
    phase: doc.state.phase,
    status: doc.state.status,
    ...doc.definition,
    chain: doc.steps.map(({ type }) => type),
    total: figures?.total ?? size?.total ?? null,
    counts: figures?.counts ?? countsOf(doc),
    receipts: figures?.receipts ?? doc.counted?.receipts,
    segments: sent ?? totals.preparation?.segments,
    resent: figures?.resent ?? (totals.delivery?.resent || undefined),
    reason,
    restored: doc.restored && { at: new Date(doc.restored.at).toISOString(), unknown: doc.restored.unknown },
    parent: parent && { batchId: parent.batchId, filter: parent.filter },
    origin: doc.origin,
    dryRun: doc.dryRun,
    inlineRecipients: doc.inlineRecipients,
    stoppingTo: stopping?.to,
    tasks: work && {
      step: work.step,
      count: work.count,
      out: work.out,
      done: work.next - work.out.length - work.yielded.length,
    },
    createdAt: iso(doc.createdAt),
    updatedAt: iso(doc.updatedAt),
    startedAt: iso(doc.startedAt),
    endedAt: iso(doc.endedAt),
    deletedAt: iso(doc.deletedAt),
    history: history
      ? doc.history.map(({ at, ...entry }) => ({ ...entry, at: new Date(at).toISOString() }))
      : undefined,
  };
  return Object.fromEntries(
    Object.entries(view).filter(([, value]) => value !== undefined),
  ) as unknown as BatchView;
}
