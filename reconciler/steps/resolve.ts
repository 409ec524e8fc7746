import type { ReconcileContext, Step, StepResult } from '../context.ts';
import { DONE } from '../context.ts';
import type { Stalled } from '../ports.ts';

const NO_BRANCH = {
  fr: 'Branche inexistante — contactez le support.',
  en: 'The branch does not exist — contact support.',
} as const;

/** Which revision should run here, and its files. */
export const resolve: Step = {
  name: 'resolve',
  async run(context, state): Promise<StepResult> {
    const seen = await context.source.observe(context.signal);
    if (seen.kind === 'absent') return branchMissing(context, seen.message);
    if (seen.kind !== 'found') return sourceFailed(context, seen);
    state.found = { revision: seen.revision, fingerprint: seen.fingerprint };
    noteRevision(context, seen.revision);
    const read = await context.source.read(state.found, context.signal);
    if (read.kind !== 'read') return sourceFailed(context, read);
    state.snapshot = read.snapshot;
    if (read.rewritten === true) {
      const message = `the branch was rewritten: ${seen.revision} does not follow from what it was before`;
      const because = 'what may run is decided by the seq of the release, not by history';
      context.events.emit({
        severity: 'warning',
        reason: 'HistoryRewritten',
        message,
        because,
        revision: seen.revision,
      });
    }
    const before = context.records.source();
    if (before.setback !== null && before.setback.kind === 'retry' && state.snapshot !== null) {
      context.events.emit({
        severity: 'info',
        reason: 'SourceRecovered',
        message: 'the source answers again',
        because: before.setback.message,
      });
    }
    context.records.saveSource({
      commit: read.snapshot.commit,
      last_sync_at: context.clock.now().toISOString(),
      setback: null,
    });
    return DONE;
  },
};

function noteRevision(context: ReconcileContext, revision: string): void {
  const before = context.records.source();
  if (before.desired_revision === revision) return;
  context.records.transaction(() => {
    context.records.saveSource({ desired_revision: revision });
    // a newer revision is always taken at once: what was quarantined for its download is tried again
    for (const [sha256, quarantine] of context.records.quarantines()) {
      if (quarantine.cause === 'digest' && quarantine.revision !== revision)
        context.records.clearQuarantine(sha256);
    }
  });
  context.events.emit({
    severity: 'info',
    reason: 'RevisionSeen',
    message: `the branch is at ${revision}`,
    revision,
    ...(before.desired_revision === null ? {} : { because: `it was at ${before.desired_revision}` }),
  });
}

async function branchMissing(context: ReconcileContext, message: string): Promise<StepResult> {
  const { tenant, locale } = context.settings();
  const answer = (await context.branchCheck?.exists(tenant, context.signal)) ?? 'unknown';
  if (answer === 'exists') {
    const waiting = `the SaaS knows branch tenant/${tenant}, the source does not yet: ${message}`;
    return sourceFailed(context, { kind: 'retry', code: 'server_error', message: waiting });
  }
  const stalled: Stalled = {
    kind: 'stalled',
    code: 'branch_missing',
    message: `${NO_BRANCH[locale]} (${message})`,
  };
  context.events.emit({ severity: 'error', reason: 'BranchMissing', message: stalled.message });
  context.records.saveSource({ setback: stalled });
  return stalled;
}

function sourceFailed(
  context: ReconcileContext,
  setback: Exclude<StepResult, { kind: 'done' } | { kind: 'skip' }>,
) {
  context.events.emit({
    severity: 'warning',
    reason: 'SourceFailed',
    message: setback.message,
    because: setback.code,
  });
  const { kind, code, message } = setback;
  context.records.saveSource({ setback: { kind, code, message } });
  return setback;
}
