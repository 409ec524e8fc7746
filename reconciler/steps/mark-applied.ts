import type { Release } from '../../schemas/flow-spec.ts';
import { DONE, type Step, type StepResult } from '../context.ts';

/** `last_applied_revision` is written last, and only when everything in the revision is so. */
export const markApplied: Step = {
  name: 'mark-applied',
  async run(context, state): Promise<StepResult> {
    const { revision } = state.release as Release;
    const open = [...state.outcomes.values()].some((outcome) => outcome.setback !== null);
    if (open) return { kind: 'skip', because: 'not everything is applied' };
    const seq = state.verified?.seq ?? null;
    const current = context.store.current();
    const sameSeq = current.seq?.keys === seq?.keys && current.seq?.value === seq?.value;
    if (current.revision !== revision || !sameSeq) await context.store.markApplied(revision, seq);
    const before = context.records.source();
    if (before.last_applied_revision === revision) return { kind: 'skip', because: 'it was applied before' };
    context.records.transaction(() => {
      context.records.saveSource({ last_applied_revision: revision, last_attempted_revision: revision });
      context.records.saveIntent(null);
      context.reports.statusChanged();
    });
    const because =
      before.last_applied_revision === null ? 'it is the first' : `${before.last_applied_revision} was`;
    context.events.emit({
      severity: 'info',
      reason: 'RevisionApplied',
      message: `${revision} is applied in full`,
      because,
      revision,
    });
    return DONE;
  },
};
