import { type LazyPage, lazyPage } from './frame/lazy-page.tsx';

export interface Route {
  readonly path: string;
  readonly page: LazyPage;
}

/** For those who have not signed in, too. */
export const OPEN_ROUTES: readonly Route[] = [
  { path: '/sign-in', page: lazyPage(() => import('./pages/sign-in.tsx')) },
  { path: '/setup', page: lazyPage(() => import('./pages/setup.tsx')) },
  { path: '/invite', page: lazyPage(() => import('./pages/invite.tsx')) },
];

/** The server gives the pages on these addresses (console/routes/pages.ts has the same list). The first that fits is shown. */
export const ROUTES: readonly Route[] = [
  { path: '/', page: lazyPage(() => import('./pages/overview.tsx')) },
  { path: '/agents', page: lazyPage(() => import('./pages/agents.tsx')) },
  { path: '/agents/:id/runs/:run_id', page: lazyPage(() => import('./pages/run.tsx')) },
  { path: '/agents/:id', page: lazyPage(() => import('./pages/agent.tsx')) },
  { path: '/flows', page: lazyPage(() => import('./pages/flows.tsx')) },
  { path: '/flows/:tenant/:flow', page: lazyPage(() => import('./pages/flow.tsx')) },
  { path: '/releases', page: lazyPage(() => import('./pages/releases.tsx')) },
  { path: '/releases/:tenant/:revision', page: lazyPage(() => import('./pages/release.tsx')) },
  { path: '/runs', page: lazyPage(() => import('./pages/runs.tsx')) },
  { path: '/events', page: lazyPage(() => import('./pages/events.tsx')) },
  { path: '/audit', page: lazyPage(() => import('./pages/audit.tsx')) },
  { path: '/tokens', page: lazyPage(() => import('./pages/tokens.tsx')) },
  { path: '/settings', page: lazyPage(() => import('./pages/settings.tsx')) },
];
