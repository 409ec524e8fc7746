import { DONE, type FlowStep, type FlowWork, type ReconcileContext, type StepResult } from '../context.ts';

/** Whole downloads of a digest that may differ before it is quarantined (contract, section 9). */
const MISMATCHES_BEFORE_QUARANTINE = 3;

/** Brings the bundle to disk, unless it is there. */
export const fetch: FlowStep = {
  name: 'fetch',
  phase: 'fetching',
  async run(context, work): Promise<StepResult> {
    const { sha256 } = work.spec;
    if (!work.repair && work.unpackedElsewhere)
      return { kind: 'skip', because: 'its digest is unpacked already' };
    if (await context.store.hasBundle(sha256))
      return { kind: 'skip', because: 'its digest is downloaded already' };
    const underWay = context.downloads.get(sha256);
    if (underWay !== undefined) return underWay;
    const download = fetchOnce(context, work).finally(() => context.downloads.delete(sha256));
    context.downloads.set(sha256, download);
    return download;
  },
};

async function fetchOnce(context: ReconcileContext, work: FlowWork): Promise<StepResult> {
  const { spec, revision } = work;
  const into = await context.store.openDownload(spec.sha256, spec.size ?? undefined);
  try {
    const request = { flow: spec.id, url: spec.edge_url, sha256: spec.sha256, size: spec.size };
    const fetched = await context.bundles.fetch(request, into, {
      signal: context.signal,
      onProgress: (progress) => context.progress.fetching(progress),
    });
    if (fetched.kind === 'mismatch') return mismatched(context, work, fetched.message);
    if (fetched.kind !== 'fetched') {
      const reason = fetched.kind === 'refused' ? 'UrlNotAllowed' : 'BundleFetchFailed';
      const message = `flow ${spec.id}: ${fetched.message}`;
      const severity = fetched.kind === 'retry' ? 'warning' : 'error';
      context.events.emit({ severity, reason, message, flow: spec.id, revision, because: fetched.code });
      return fetched;
    }
    context.records.setMismatches(spec.sha256, 0);
    const message = `flow ${spec.id}: ${fetched.bytes} bytes downloaded, SHA-256 ${spec.sha256} verified`;
    context.events.emit({
      severity: 'info',
      reason: 'BundleFetched',
      message,
      flow: spec.id,
      version: work.version,
      revision,
      because: work.because,
    });
    return DONE;
  } catch (error) {
    // what fills the disk is let go: the agent itself needs room, and a newer release may be smaller
    if (context.explain(error)?.code === 'disk_full') await into.restart(null);
    throw error;
  } finally {
    await into.keep();
  }
}

function mismatched(context: ReconcileContext, work: FlowWork, found: string): StepResult {
  const { spec, revision } = work;
  const count = context.records.mismatches(spec.sha256) + 1;
  const message = `flow ${spec.id}: ${found} (download ${count} of ${MISMATCHES_BEFORE_QUARANTINE})`;
  const at = { flow: spec.id, version: work.version, revision };
  context.events.emit({ severity: 'error', reason: 'DigestMismatch', message, ...at });
  if (count < MISMATCHES_BEFORE_QUARANTINE) {
    context.records.setMismatches(spec.sha256, count);
    return { kind: 'retry', code: 'digest_mismatch', message };
  }
  const why = `${count} whole downloads did not match sha256 ${spec.sha256}: ${found}`;
  context.records.transaction(() => {
    context.records.setMismatches(spec.sha256, count);
    context.records.saveQuarantine(spec.sha256, {
      cause: 'digest',
      flow: spec.id,
      revision,
      message: why,
      at: context.now.toISOString(),
    });
  });
  context.events.emit({
    severity: 'error',
    reason: 'DigestQuarantined',
    message: `flow ${spec.id}: ${why}`,
    ...at,
  });
  const advice = `publish a fixed version, or run "edge-agent retry ${spec.id}"`;
  return { kind: 'stalled', code: 'quarantined', message: `flow ${spec.id}: ${why}; ${advice}` };
}
