import { sha256Hex } from '../jws.ts';
import type { TopLevelRole } from './metadata.ts';
import type { TufRootMetadata } from './root-walk.ts';

/**
 * Names the set of keys that a role's versions belong to, as `releaseKeySet` does for releases of ours: SHA-256, in hex, of
 * `tuf:<role>` and the sorted key ids, one a line.
 */
export function tufKeySet(root: TufRootMetadata, role: TopLevelRole): string {
  const { keyids } = root.signed.roles[role];
  return sha256Hex(Buffer.from([`tuf:${role}`, ...[...keyids].sort()].join('\n'), 'utf8'));
}
