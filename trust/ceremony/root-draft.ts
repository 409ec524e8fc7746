import type { PublicJwk } from '../../schemas/jws.ts';
import { ROLE_NAMES, type RoleName, Root } from '../../schemas/root.ts';
import { firstFault } from '../refusal.ts';
import { parseRoot } from '../root.ts';
import { publicPart } from '../thumbprint.ts';
import { CeremonyError, type DraftDocument, draftOf } from './draft.ts';

type KeysByRole = Partial<Record<RoleName, readonly Pick<PublicJwk, 'crv' | 'kty' | 'x'>[]>>;
type Thresholds = Partial<Record<RoleName, number>>;

export interface RootPlan {
  /** RFC 3339, UTC. */
  readonly expires: string;
  /** Public keys (private ones may be given; nothing but their public part is used). A role without keys is left out. */
  readonly keys: KeysByRole;
  /** 1 where nothing is said. */
  readonly thresholds?: Thresholds;
}

/** The draft of a first root, to be signed by `thresholds.root` of its root keys. */
export function newRoot(plan: RootPlan, version = 1): DraftDocument {
  const keys: Record<string, PublicJwk> = {};
  const roles: Partial<Record<RoleName, { keyids: string[]; threshold: number }>> = {};
  for (const role of ROLE_NAMES) {
    const listed = (plan.keys[role] ?? []).map(publicPart);
    if (listed.length === 0) continue;
    for (const { kid, kty, crv, x } of listed) keys[kid] = { kty, crv, x };
    roles[role] = { keyids: listed.map((key) => key.kid).sort(), threshold: plan.thresholds?.[role] ?? 1 };
  }
  const sorted = Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
  const root = { type: 'edgeflows-root/v1', version, expires: plan.expires, keys: sorted, roles };
  const parsed = Root.safeParse(root);
  if (!parsed.success) throw new CeremonyError(`root ${version}: ${firstFault(parsed.error)}`);
  return draftOf(root);
}

export interface RootChanges {
  readonly expires: string;
  /** The whole new list of a role; a role that is not named stays as it is, an empty list removes it. */
  readonly keys?: KeysByRole;
  readonly thresholds?: Thresholds;
}

/** The draft of version n+1, to be signed by the threshold of the previous root keys and of its own. */
export function rotateRoot(previous: DraftDocument, changes: RootChanges): DraftDocument {
  const read = parseRoot(Buffer.from(previous.payload, 'base64url'), 'previous root');
  if (read.kind === 'refused') throw new CeremonyError(read.message);
  const { root } = read;
  const keys: { -readonly [Role in RoleName]?: readonly PublicJwk[] } = {};
  const thresholds: Thresholds = {};
  for (const name of ROLE_NAMES) {
    const role = root.roles[name];
    const kept = (role?.keyids ?? []).flatMap((kid) => root.keys[kid] ?? []);
    keys[name] = changes.keys?.[name]?.map(publicPart) ?? kept;
    const threshold = changes.thresholds?.[name] ?? role?.threshold;
    if (threshold !== undefined) thresholds[name] = threshold;
  }
  return newRoot({ expires: changes.expires, keys, thresholds }, root.version + 1);
}
