import type { Current } from '../schemas/current.ts';
import type { FlowSpec } from '../schemas/flow-spec.ts';
import type { VersionRecord } from './ports.ts';

/** Names at `<slug>/` that are the agent's own, so that no v1 version may have them; compared case-folded. */
const RESERVED_AT_ROOT = new Set(['flows', 'current.json']);

export interface VersionPlace {
  /** Directory name: the version, or `<version>+<first 8 of sha256>`. */
  readonly version: string;
  /** Relative to `<edge_cache_dir>/<slug>`, forward slashes. */
  readonly path: string;
}

/** Which digest a directory name stands for, by path case-folded. */
export type TakenNames = ReadonlyMap<string, string>;

/** The names that versions on disk and the pointer have fixed already. */
export function takenNames(records: readonly VersionRecord[], current: Current): TakenNames {
  const taken = new Map(records.map((record) => [record.path.toLowerCase(), record.sha256]));
  for (const flow of Object.values(current.flows)) {
    taken.set(flow.path.toLowerCase(), flow.sha256);
    if (flow.previous !== null) taken.set(flow.previous.path.toLowerCase(), flow.previous.sha256);
  }
  return taken;
}

/**
 * Where a flow's version lives (contract, sections 1 and 4). A version is a name for a digest: the same name with another
 * digest lives in `<version>+<first 8 of sha256>`. Null when the name is the agent's own.
 */
export function placeVersion(spec: FlowSpec, taken: TakenNames): VersionPlace | null {
  if (spec.layout === 'root' && RESERVED_AT_ROOT.has(spec.version.toLowerCase())) return null;
  const parent = spec.layout === 'root' ? '' : `flows/${spec.id}/`;
  const names = [
    spec.version,
    ...[8, 16, 64].map((digits) => `${spec.version}+${spec.sha256.slice(0, digits)}`),
  ];
  for (const version of names) {
    const path = `${parent}${version}`;
    const digest = taken.get(path.toLowerCase());
    if (digest === undefined || digest === spec.sha256) return { version, path };
  }
  return null;
}
