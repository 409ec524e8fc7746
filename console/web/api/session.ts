import { useQuery, useQueryClient } from '@tanstack/preact-query';
import type { Grant, Role } from '../../../schemas/console/people.ts';
import type { SessionAnswer, SignedIn } from '../../../schemas/console/session.ts';
import { useApi } from './provider.tsx';

export const SESSION_KEY = ['session'] as const;

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

/** Who is signed in, or that nobody is. Asked for once; sign-in and sign-out put the new answer in its place. */
export function useSession() {
  const api = useApi();
  return useQuery({
    queryKey: SESSION_KEY,
    queryFn: ({ signal }) => api.get<SessionAnswer>('/api/session', { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Of whoever is signed in; only below a page that is shown to such a person. */
export function usePerson(): SignedIn {
  const session = useQueryClient().getQueryData<SessionAnswer>(SESSION_KEY);
  if (session?.signed_in !== true) throw new Error('expected somebody to be signed in');
  return session;
}

/** Whether the person has at least `role`: in `tenant`, or without one in any. What one may not do is shown, and says why it is off. */
export function useMay(role: Role, tenant?: string | null): boolean {
  return may(usePerson().grants, role, tenant);
}

export function may(grants: readonly Grant[], role: Role, tenant?: string | null): boolean {
  return grants.some(
    (grant) =>
      ROLES.indexOf(grant.role) >= ROLES.indexOf(role) &&
      (tenant === undefined || tenant === null || grant.tenant === '*' || grant.tenant === tenant),
  );
}
