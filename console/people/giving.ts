import type { Grant } from '../../schemas/console/people.ts';
import { RequestRefused } from '../refusal.ts';
import { type Actor, allowEverywhere, holdsRole, roleIn, roleTooSmall } from './actor.ts';

/** Whether they decide over somebody with these grants: as admin of every tenant in them. */
export function decidesOver(actor: Pick<Actor, 'grants'>, grants: readonly Grant[]): boolean {
  return grants.every(({ tenant }) => holdsRole(actor, tenant, 'admin'));
}

/** Whether somebody with these grants may do something in the tenant that was asked for; all do when none was. */
export function reaches(grants: readonly Grant[], tenant: string | undefined): boolean {
  return tenant === undefined || grants.some((grant) => grant.tenant === '*' || grant.tenant === tenant);
}

/** Whether these grants hold anything that those before did not. */
export function givesMore(before: readonly Grant[], now: readonly Grant[]): boolean {
  return now.some(({ tenant, role }) => !holdsRole({ grants: before }, tenant, role));
}

/** In the step itself, of what they may do then: 403 unless they are admin of every tenant in the grants. */
export function expectToGiveNow(grants: readonly Grant[], askerGrants: readonly Grant[]): void {
  const asker = { grants: askerGrants };
  for (const { tenant } of grants) {
    if (holdsRole(asker, tenant, 'admin')) continue;
    throw roleTooSmall(
      'admin',
      roleIn(asker, tenant),
      tenant === '*' ? 'for all tenants (*)' : `in ${tenant}`,
    );
  }
}

/**
 * Throws unless the actor may give these roles: nobody gives what is beyond their own tenants. 403 `role_too_small` where they are
 * no admin, 422 `tenant_unknown` for a tenant that is not there, or not theirs to see.
 */
export async function expectToGive(
  actor: Actor,
  grants: readonly Grant[],
  isTenant: (slug: string) => Promise<boolean>,
): Promise<void> {
  for (const { tenant } of grants) {
    if (tenant === '*') {
      allowEverywhere(actor, 'admin');
      continue;
    }
    const own = roleIn(actor, tenant);
    if (own === null || !(await isTenant(tenant))) {
      const message = `expected the slug of a tenant, or *, found "${tenant}", which is none`;
      throw new RequestRefused(422, 'tenant_unknown', message);
    }
    if (own !== 'admin') throw roleTooSmall('admin', own, `in ${tenant}`);
  }
}
