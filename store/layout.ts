import { join } from 'node:path';
import { VersionDirectory } from '../schemas/current.ts';
import { FlowId, isWindowsDeviceName } from '../schemas/names.ts';

/** Where things lie on disk (contract, section 4). All absolute. */
export interface StoreLayout {
  readonly cache: string;
  /** `<edge_cache_dir>/<slug>` */
  readonly tenant: string;
  readonly pointer: string;
  /** `<edge_cache_dir>/<slug>/flows` */
  readonly flows: string;
  /** Downloads: `<sha256>.part`, its `<sha256>.part.json`, and `<sha256>.bundle` once verified. */
  readonly staging: string;
  /** Versions on their way: the one folder the unpacker child may write to. */
  readonly unpacking: string;
  readonly trash: string;
  readonly state: string;
}

export function storeLayout(cacheDirectory: string, slug: string, stateDirectory: string): StoreLayout {
  const tenant = join(cacheDirectory, slug);
  const staging = join(stateDirectory, 'staging');
  return {
    cache: cacheDirectory,
    tenant,
    pointer: join(tenant, 'current.json'),
    flows: join(tenant, 'flows'),
    staging,
    unpacking: join(staging, 'unpacking'),
    trash: join(stateDirectory, 'trash'),
    state: stateDirectory,
  };
}

export interface VersionPlace {
  /** Null for the v1 layout. */
  readonly flow: string | null;
  readonly version: string;
}

const VERSION_DIRECTORY = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;
const RESERVED = ['flows', 'current.json'];

/** Reads `<version>` or `flows/<flow>/<version>`; null for any other path, so that nothing else is ever written or removed. */
export function parseVersionPath(path: string): VersionPlace | null {
  const segments = path.split('/');
  const version = segments.at(-1) ?? '';
  if (!isVersionDirectory(version)) return null;
  if (segments.length === 1) return RESERVED.includes(version.toLowerCase()) ? null : { flow: null, version };
  const [root, flow] = segments;
  if (segments.length !== 3 || root !== 'flows' || !FlowId.safeParse(flow).success) return null;
  return { flow: flow ?? null, version };
}

export function isVersionDirectory(name: string): boolean {
  return (
    VERSION_DIRECTORY.test(name) &&
    VersionDirectory.safeParse(name).success &&
    !name.endsWith('.') &&
    !isWindowsDeviceName(name)
  );
}
