import { olderThan } from '../agent-version.ts';
import type { ReconcileContext, Step, StepResult } from '../context.ts';
import { DONE } from '../context.ts';
import { normaliseRelease } from '../normalise-release.ts';
import {
  MANIFEST_FILE,
  POLICY_FILE,
  RELEASE_FILE,
  type Snapshot,
  TUF_TIMESTAMP_FILE,
  type Verdict,
} from '../ports.ts';

/** Whether to believe the files, and what they say once they are believed. */
export const verify: Step = {
  name: 'verify',
  async run(context, state): Promise<StepResult> {
    const snapshot = state.snapshot as Snapshot;
    const revision = snapshot.revision;
    const verdict = await context.verifier.verify(snapshot, await context.trustMemory.load(), context.now);
    if (!context.dryRun) await context.trustMemory.save(verdict.memory);
    for (const version of verdict.newRoots) {
      context.events.emit({
        severity: 'info',
        reason: 'RootAccepted',
        message: `root ${version} is accepted`,
        revision,
      });
    }
    if (
      verdict.kind === 'refused' &&
      verdict.code === 'manifest_missing' &&
      !snapshot.files.has(RELEASE_FILE) &&
      !snapshot.files.has(TUF_TIMESTAMP_FILE)
    ) {
      const message = `expected ${MANIFEST_FILE} on the branch, found none; publish a release`;
      context.events.emit({ severity: 'error', reason: 'ManifestInvalid', message, revision });
      return { kind: 'stalled', code: 'manifest_missing', message };
    }
    if (verdict.kind === 'refused') {
      context.events.emit({
        severity: 'error',
        reason: 'ReleaseRefused',
        message: verdict.message,
        because: verdict.code,
        revision,
      });
      return { kind: 'refused', code: verdict.code, message: verdict.message };
    }
    state.verified = verdict;
    noteTrust(context, verdict, revision);
    const oldest = verdict.statement?.min_agent;
    const { agentVersion } = context.settings();
    if (oldest !== undefined && olderThan(agentVersion, oldest)) {
      const message = `expected edge-agent ${oldest} or newer for this release, found ${agentVersion}; run "edge-agent update"`;
      context.events.emit({ severity: 'error', reason: 'AgentTooOld', message, revision });
      return { kind: 'stalled', code: 'agent_too_old', message };
    }
    const policy = applyPolicy(context, verdict.policy, revision);
    if (policy.kind !== 'done') return policy;
    const normalised = normaliseRelease(
      context.parser,
      snapshot,
      verdict.manifest,
      verdict.statement?.version,
    );
    if (normalised.kind === 'stalled') {
      context.events.emit({
        severity: 'error',
        reason: 'ManifestInvalid',
        message: normalised.message,
        revision,
      });
      return normalised;
    }
    state.release = normalised.release;
    return DONE;
  },
};

function noteTrust(
  context: ReconcileContext,
  verdict: Extract<Verdict, { kind: 'verified' }>,
  revision: string,
): void {
  const seen = {
    root_version: verdict.rootVersion,
    seq: verdict.statement?.seq ?? null,
    release_expires: verdict.statement?.expires ?? null,
  };
  const before = context.records.trustSeen();
  if (before.seq !== seen.seq || before.root_version !== seen.root_version) {
    const statement =
      verdict.statement === null ? 'unsigned' : `signed, seq ${seen.seq}, root ${seen.root_version}`;
    const message = `${MANIFEST_FILE} is ${statement} (trust.mode ${context.verifier.mode})`;
    context.events.emit({ severity: 'info', reason: 'ReleaseVerified', message, revision });
  }
  context.records.saveTrustSeen(seen);
  for (const warning of verdict.warnings) {
    context.events.emit({ severity: 'warning', reason: warning.reason, message: warning.message, revision });
  }
}

function applyPolicy(context: ReconcileContext, bytes: Uint8Array | null, revision: string): StepResult {
  if (bytes === null) {
    context.records.savePolicy(null);
    context.onPolicy(null);
    return DONE;
  }
  const parsed = context.parser.policy(bytes, POLICY_FILE);
  if (parsed.kind === 'invalid') {
    context.events.emit({ severity: 'error', reason: 'PolicyInvalid', message: parsed.message, revision });
    return { kind: 'stalled', code: 'policy_invalid', message: parsed.message };
  }
  context.records.savePolicy(parsed.value);
  context.onPolicy(parsed.value);
  return DONE;
}
