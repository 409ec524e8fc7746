import { ROLE_NAMES, type RoleName, type Root } from '../../schemas/root.ts';

export interface RoleChange {
  readonly role: RoleName;
  /** Key ids, sorted. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Of the role before and after; null where there is no such role. */
  readonly threshold: { readonly from: number | null; readonly to: number | null };
}

/** What a root says otherwise than the one before it. */
export interface RootChangesFound {
  readonly expires: { readonly from: string; readonly to: string };
  /** Roles in which something changes. */
  readonly roles: readonly RoleChange[];
}

export function findRootChanges(previous: Root, next: Root): RootChangesFound {
  const roles = ROLE_NAMES.flatMap((role): RoleChange[] => {
    const [before, after] = [previous.roles[role], next.roles[role]];
    const [old, now] = [before?.keyids ?? [], after?.keyids ?? []];
    const added = now.filter((kid) => !old.includes(kid)).sort();
    const removed = old.filter((kid) => !now.includes(kid)).sort();
    const threshold = { from: before?.threshold ?? null, to: after?.threshold ?? null };
    const same = added.length + removed.length === 0 && threshold.from === threshold.to;
    return same ? [] : [{ role, added, removed, threshold }];
  });
  return { expires: { from: previous.expires, to: next.expires }, roles };
}
