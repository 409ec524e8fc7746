import { readFileSync } from 'node:fs';
import type { Fleet } from '../../support/fleet.ts';

/** A page that there is, as somebody comes to it. */
export interface ListedPage {
  /** Of its pictures. */
  readonly name: string;
  /** As console/web/routes.ts has it. */
  readonly route: string;
  readonly path: (fleet: Fleet) => string | Promise<string>;
  /** Who comes; nobody signs in for `null`. An admin unless it is said. */
  readonly as?: string | null;
  /** The console is this one: nobody has been made a person of it yet. */
  readonly fresh?: boolean;
}

const acme = ({ machines }: Fleet, plight: string) => {
  const found = machines.find(({ member }) => member.plight === plight && member.tenant.slug === 'acme');
  if (found === undefined) throw new Error(`expected an agent that is ${plight}, found none`);
  return found;
};
const agentPath = (plight: string) => (fleet: Fleet) => `/agents/${acme(fleet, plight).device.agentId}`;

/** A run of the list, as the API has it. */
async function runPath({ url, apiKey }: Fleet, query: string): Promise<string> {
  const answer = await fetch(`${url}/api/runs?limit=1&${query}`, { headers: { 'x-api-key': apiKey } });
  const { runs } = (await answer.json()) as { runs: { agent_id: string; run_id: string }[] };
  const [run] = runs;
  if (run === undefined) throw new Error(`expected a run of ${query}, found none`);
  return `/agents/${run.agent_id}/runs/${run.run_id}`;
}

const revisionPath = ({ releases }: Fleet, slug: string) =>
  `/releases/${slug}/${encodeURIComponent(releases.get(slug)?.at(-1)?.revision ?? '')}`;

/** Every page: pictures are taken of these, axe looks at them, and every-page.test.ts fails for a route that is not here. */
export const EVERY_PAGE: readonly ListedPage[] = [
  { name: 'sign-in', route: '/sign-in', path: () => '/sign-in', as: null },
  { name: 'setup', route: '/setup', path: () => '/setup', as: null, fresh: true },
  { name: 'invite', route: '/invite', path: () => '/invite#eci_a-code-that-is-none', as: null },
  { name: 'overview', route: '/', path: () => '/' },
  { name: 'agents', route: '/agents', path: () => '/agents' },
  { name: 'agents-odd', route: '/agents', path: () => '/agents?tenant=odd-strings' },
  { name: 'agent-stalled', route: '/agents/:id', path: agentPath('quarantined') },
  { name: 'agent-ready', route: '/agents/:id', path: agentPath('ready') },
  { name: 'agent-waiting', route: '/agents/:id', path: agentPath('waiting') },
  { name: 'flows', route: '/flows', path: () => '/flows' },
  { name: 'flow', route: '/flows/:tenant/:flow', path: () => '/flows/acme/crm-sync' },
  { name: 'releases', route: '/releases', path: () => '/releases' },
  { name: 'release', route: '/releases/:tenant/:revision', path: (fleet) => revisionPath(fleet, 'acme') },
  { name: 'runs', route: '/runs', path: () => '/runs' },
  {
    name: 'run-failed',
    route: '/agents/:id/runs/:run_id',
    path: (fleet) => runPath(fleet, 'state=failed&tenant=acme'),
  },
  {
    name: 'run-odd',
    route: '/agents/:id/runs/:run_id',
    path: (fleet) => runPath(fleet, 'state=failed&tenant=odd-strings'),
  },
  { name: 'events', route: '/events', path: () => '/events' },
  { name: 'audit', route: '/audit', path: () => '/audit' },
  { name: 'tokens', route: '/tokens', path: () => '/tokens' },
  { name: 'settings', route: '/settings', path: () => '/settings' },
  { name: 'settings-viewer', route: '/settings', path: () => '/settings', as: 'viewer' },
];

/** The routes that there are, in the words of the pages themselves. */
export function routesOfPages(): string[] {
  const text = readFileSync(new URL('../../../console/web/routes.ts', import.meta.url), 'utf8');
  return [...text.matchAll(/path: '([^']+)'/g)].map(([, path]) => path ?? '');
}
