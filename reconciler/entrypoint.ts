import type { FlowSpec } from '../schemas/flow-spec.ts';
import type { Stalled, VersionStore } from './ports.ts';

/**
 * The file a run starts (contract, section 3): the named one, else the only `runner_*.py` at the root of the bundle,
 * else `main.py`.
 */
export async function resolveEntrypoint(
  store: Pick<VersionStore, 'rootFiles' | 'hasFile'>,
  spec: Pick<FlowSpec, 'id' | 'entrypoint'>,
  path: string,
): Promise<{ kind: 'entrypoint'; entrypoint: string } | Stalled> {
  if (spec.entrypoint !== null) {
    if (await store.hasFile(path, spec.entrypoint))
      return { kind: 'entrypoint', entrypoint: spec.entrypoint };
    return missing(
      `flow ${spec.id}: expected the entrypoint "${spec.entrypoint}" in the bundle, found no such file`,
    );
  }
  const files = await store.rootFiles(path);
  const runners = files.filter((name) => /^runner_.*\.py$/.test(name)).toSorted();
  if (runners.length === 1) return { kind: 'entrypoint', entrypoint: runners[0] as string };
  if (files.includes('main.py')) return { kind: 'entrypoint', entrypoint: 'main.py' };
  const found =
    runners.length === 0 ? 'neither' : `${runners.length} of them (${runners.slice(0, 5).join(', ')})`;
  return missing(
    `flow ${spec.id}: expected one runner_*.py or a main.py at the root of the bundle, found ${found}; name the file in "entrypoint"`,
  );
}

function missing(message: string): Stalled {
  return { kind: 'stalled', code: 'entrypoint_missing', message };
}
