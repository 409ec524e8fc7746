import type { Grant, Role } from '../../schemas/console/people.ts';
import { RequestRefused } from '../refusal.ts';
import type { TenantScope } from '../store/ports/tenant-scope.ts';

/** Who asks something of the console: a key of the API, a person who has signed in, or the program itself (its verbs, the demo). */
export interface Actor {
  readonly kind: 'key' | 'person' | 'program';
  readonly id: string;
  /** The key's label, the person's login. */
  readonly name: string;
  /** As the audit has it: `key:<label>`, `person:<login>`, `operator`. */
  readonly by: string;
  readonly grants: readonly Grant[];
  /** What is stored of the credentials they came with; null for the program. */
  readonly credential: string | null;
}

const ORDER: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 };

/** Who works at the console's own shell, in its data folder: there is nothing that they could not do. */
export const PROGRAM: Actor = {
  kind: 'program',
  id: 'operator',
  name: 'operator',
  by: 'operator',
  grants: [{ tenant: '*', role: 'admin' }],
  credential: null,
};

/** The larger one of what they may do everywhere and in this tenant; null when they may not know that it exists. */
export function roleIn({ grants }: Pick<Actor, 'grants'>, tenant: string): Role | null {
  const roles = grants.filter((grant) => grant.tenant === '*' || grant.tenant === tenant);
  return roles.reduce<Role | null>(
    (most, { role }) => (most === null || ORDER[role] > ORDER[most] ? role : most),
    null,
  );
}

export function holdsRole(actor: Pick<Actor, 'grants'>, tenant: string, role: Role): boolean {
  const found = roleIn(actor, tenant);
  return found !== null && ORDER[found] >= ORDER[role];
}

/** The tenants in which they have the role, or a larger one. */
function tenantsOf({ grants }: Pick<Actor, 'grants'>, role: Role): TenantScope {
  const enough = grants.filter((grant) => ORDER[grant.role] >= ORDER[role]);
  return enough.some(({ tenant }) => tenant === '*') ? '*' : enough.map(({ tenant }) => tenant);
}

/**
 * For what belongs to one tenant (null: it is not there). Throws `absent` when the actor may not see that tenant, so that the two
 * cannot be told apart, and 403 `role_too_small` when they may see it and not do this.
 */
export function allow(actor: Actor, tenant: string | null, role: Role, absent: () => RequestRefused): void {
  const found = tenant === null ? null : roleIn(actor, tenant);
  if (tenant === null || found === null) throw absent();
  if (ORDER[found] < ORDER[role]) throw roleTooSmall(role, found, `in ${tenant}`);
}

/**
 * For lists: the tenants to show, narrowed to the one that was asked for. One that the actor may not see shows nothing, as one
 * that does not exist. 403 `role_too_small` where the role is too small for all that was asked.
 */
export function scopeOf(actor: Actor, asked: string | undefined, role: Role = 'viewer'): TenantScope {
  if (asked !== undefined) {
    const found = roleIn(actor, asked);
    if (found === null) return [];
    if (ORDER[found] < ORDER[role]) throw roleTooSmall(role, found, `in ${asked}`);
    return [asked];
  }
  const scope = tenantsOf(actor, role);
  if (scope !== '*' && scope.length === 0) throw roleTooSmall(role, largest(actor), 'in at least one tenant');
  return scope;
}

/** For what belongs to no tenant: 403 unless they have the role everywhere. */
export function allowEverywhere(actor: Actor, role: Role): void {
  if (holdsRole(actor, '*', role)) return;
  throw roleTooSmall(role, roleIn(actor, '*') ?? largest(actor), 'for all tenants (*)');
}

export function isInScope(scope: TenantScope, tenant: string): boolean {
  return scope === '*' || scope.includes(tenant);
}

function largest({ grants }: Actor): Role | null {
  return grants.reduce<Role | null>(
    (most, { role }) => (most === null || ORDER[role] > ORDER[most] ? role : most),
    null,
  );
}

export function roleTooSmall(needed: Role, found: Role | null, where: string): RequestRefused {
  const message = `expected the role ${needed} ${where}, found ${found ?? 'none'}; ask an admin for it`;
  return new RequestRefused(403, 'role_too_small', message);
}
