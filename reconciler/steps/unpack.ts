import { DONE, type FlowStep, type ReconcileContext, type StepResult } from '../context.ts';

/** Opens the verified bundle into its version folder: list first, refuse the bad, then unpack (threats.md). */
export const unpack: FlowStep = {
  name: 'unpack',
  phase: 'unpacking',
  async run(context, work): Promise<StepResult> {
    const { spec, path, version, revision } = work;
    if (!work.repair && (await isThere(context, path, spec.sha256)))
      return { kind: 'skip', because: 'it is unpacked already' };
    const flow = spec.layout === 'root' ? null : spec.id;
    const bundle = { sha256: spec.sha256, path, flow, version, replace: work.repair };
    const unpacked = await context.store.unpack(bundle, context.settings().caps, context.signal);
    if (unpacked.kind !== 'unpacked') {
      if (unpacked.kind !== 'retry') {
        const message = `flow ${spec.id}: ${unpacked.message}`;
        context.events.emit({
          severity: 'error',
          reason: 'ArchiveRefused',
          message,
          flow: spec.id,
          version,
          revision,
          because: (unpacked.kind === 'stalled' ? unpacked.rule : undefined) ?? unpacked.code,
        });
      }
      return unpacked;
    }
    const { files, bytes } = unpacked.record;
    context.events.emit({
      severity: 'info',
      reason: work.repair ? 'DriftRepaired' : 'BundleUnpacked',
      message: `flow ${spec.id}: ${files} ${files === 1 ? 'file' : 'files'} (${bytes} bytes) unpacked to ${path}`,
      flow: spec.id,
      version,
      revision,
      because: work.because,
    });
    return DONE;
  },
};

/** A folder that was left, or planted, becomes active only with the bytes that came out of the bundle. */
async function isThere(context: ReconcileContext, path: string, sha256: string): Promise<boolean> {
  const there = await context.store.record(path);
  if (there?.sha256 !== sha256 || !there.made) return false;
  return (await context.store.check(path, 'touched', context.signal)).kind === 'intact';
}
