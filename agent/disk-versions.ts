import type { VersionRecord } from '../reconciler/ports.ts';
import type { Current } from '../schemas/current.ts';
import { DISK_VERSIONS_MAX, type DiskVersion } from '../schemas/status.ts';

const ORDER: readonly DiskVersion['use'][] = ['active', 'previous', 'kept'];
/** Id of the one flow of a v1 manifest that names none (contract, section 3). */
const UNNAMED_FLOW = 'default';

/** What lies on disk, as the status says it: what is in use first, then the newest. Pure. */
export function diskVersions(records: readonly VersionRecord[], current: Current): DiskVersion[] {
  const uses = new Map<string, DiskVersion['use']>();
  for (const { path, previous } of Object.values(current.flows)) {
    uses.set(path, 'active');
    if (previous !== null && !uses.has(previous.path)) uses.set(previous.path, 'previous');
  }
  // A v1 folder does not say whose it is; there is one flow that lies beside `flows/`.
  const flowAtRoot = Object.entries(current.flows).find(([, { path }]) => !path.startsWith('flows/'))?.[0];
  const useOf = ({ path }: VersionRecord) => uses.get(path) ?? 'kept';
  return records
    .toSorted(
      (a, b) =>
        ORDER.indexOf(useOf(a)) - ORDER.indexOf(useOf(b)) ||
        (a.unpacked_at < b.unpacked_at ? 1 : a.unpacked_at > b.unpacked_at ? -1 : 0),
    )
    .slice(0, DISK_VERSIONS_MAX)
    .map((record) => ({
      flow: record.flow ?? flowAtRoot ?? UNNAMED_FLOW,
      version: record.version,
      sha256: record.sha256,
      bytes: record.bytes,
      use: useOf(record),
    }));
}
