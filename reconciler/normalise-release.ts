import type { FlowSpec, Release } from '../schemas/flow-spec.ts';
import type { ManifestV1 } from '../schemas/manifest-v1.ts';
import type { FlowEntry, ManifestV2 } from '../schemas/manifest-v2.ts';
import { VersionName } from '../schemas/names.ts';
import type { Snapshot, Stalled } from './ports.ts';

/** What a parser of raw bytes answers; the message names file, line, column, found and expected. */
export type Parsed<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'invalid'; readonly message: string };

export interface ManifestParser {
  /** The value of a JSON document, `manifest_version` not yet looked at. */
  json(bytes: Uint8Array, file: string): Parsed<unknown>;
  v1(bytes: Uint8Array, file: string): Parsed<ManifestV1>;
  v2(bytes: Uint8Array, file: string): Parsed<ManifestV2>;
}

/** The version of a v1 manifest that names none (contract, section 3). */
export function impliedVersion(
  snapshot: Pick<Snapshot, 'revision' | 'tags'>,
  stated: string | undefined,
): string {
  if (stated !== undefined) return stated;
  const patches = snapshot.tags.flatMap((tag) => {
    const match = /^v1\.0\.(0|[1-9]\d{0,14})$/.exec(tag);
    return match === null ? [] : [{ tag, patch: Number(match[1]) }];
  });
  const highest = patches.toSorted((a, b) => b.patch - a.patch)[0];
  if (highest !== undefined) return highest.tag;
  const builds = snapshot.tags
    .filter((tag) => tag.startsWith('bld/'))
    .map((tag) => `bld-${tag.slice('bld/'.length)}`);
  // a tag is an unsigned label and may hold anything: one that is no version name names nothing
  const build = builds
    .filter((name) => VersionName.safeParse(name).success)
    .toSorted()
    .at(-1);
  if (build !== undefined) return build;
  return snapshot.revision.slice(snapshot.revision.lastIndexOf(':') + 1).slice(0, 12);
}

/** Both manifests as one internal release, or why a person must look at the file. */
export function normaliseRelease(
  parser: ManifestParser,
  snapshot: Snapshot,
  manifest: Uint8Array,
  statedVersion: string | undefined,
  /** What messages call it: a person may have given another name. */
  file = 'manifest.json',
): { kind: 'release'; release: Release } | Stalled {
  const json = parser.json(manifest, file);
  if (json.kind === 'invalid') return invalid(json.message);
  const declared = isRecord(json.value) ? json.value['manifest_version'] : undefined;
  const base = { revision: snapshot.revision, commit: snapshot.commit };
  if (declared === undefined || declared === 1) {
    const parsed = parser.v1(manifest, file);
    if (parsed.kind === 'invalid') return invalid(parsed.message);
    const flow = fromV1(parsed.value, impliedVersion(snapshot, parsed.value.version ?? statedVersion));
    return { kind: 'release', release: { ...base, manifest_version: 1, flows: [flow], allow_empty: false } };
  }
  if (declared !== 2) {
    return invalid(
      `${file}: expected manifest_version 1 or 2, found ${JSON.stringify(declared)}; update the agent or the manifest`,
    );
  }
  const parsed = parser.v2(manifest, file);
  if (parsed.kind === 'invalid') return invalid(parsed.message);
  if (parsed.value.flows.length === 0 && parsed.value.allow_empty !== true) {
    const message = `${file}: expected at least one flow, found an empty list; write "allow_empty": true to remove every flow`;
    return { kind: 'stalled', code: 'empty_not_allowed', message };
  }
  const release: Release = {
    ...base,
    manifest_version: 2,
    flows: parsed.value.flows.map(fromV2),
    allow_empty: parsed.value.allow_empty === true,
  };
  return { kind: 'release', release };
}

function fromV1(manifest: ManifestV1, version: string): FlowSpec {
  return {
    id: manifest.flow_id ?? 'default',
    version,
    edge_url: manifest.edge_url,
    sha256: manifest.sha256,
    size: manifest.size ?? null,
    runtime: manifest.runtime,
    cpu_arch: manifest.cpu_arch ?? 'any',
    entrypoint: manifest.entrypoint ?? null,
    args: [],
    schedule: null,
    timeout: null,
    lock: null,
    overlap: 'queue',
    missed: 'skip',
    retries: 0,
    env: {},
    secrets: [],
    depends_on: [],
    targets: {},
    health: null,
    service: null,
    layout: 'root',
  };
}

function fromV2(flow: FlowEntry): FlowSpec {
  return {
    ...flow,
    size: flow.size ?? null,
    entrypoint: flow.entrypoint ?? null,
    schedule: flow.schedule ?? null,
    timeout: flow.timeout ?? null,
    lock: flow.lock ?? null,
    health: flow.health ?? null,
    service:
      flow.service === undefined
        ? null
        : {
            port_env: flow.service.port_env,
            ready: flow.service.ready ?? null,
            live: flow.service.live ?? null,
          },
    layout: 'flows',
  };
}

function invalid(message: string): Stalled {
  return { kind: 'stalled', code: 'manifest_invalid', message };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
