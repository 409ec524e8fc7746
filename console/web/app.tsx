import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter-preact';
import { queryText } from './api/client.ts';
import { ApiProvider } from './api/provider.tsx';
import { useSession } from './api/session.ts';
import { Alone } from './frame/alone.tsx';
import { Boundary } from './frame/boundary.tsx';
import { Frame } from './frame/frame.tsx';
import { Button } from './parts/button.tsx';
import { Link } from './parts/link.tsx';
import { FaultNote } from './parts/note.tsx';
import { Page } from './parts/page.tsx';
import { ClockProvider, useClock } from './parts/time.tsx';
import { ToastProvider } from './parts/toast.tsx';
import { OPEN_ROUTES, ROUTES } from './routes.ts';
import { en } from './text/en/frame.ts';
import { fr } from './text/fr/frame.ts';
import { LanguageProvider, useText } from './text/language.tsx';
import { useWords } from './text/words.ts';

export function App() {
  return (
    <LanguageProvider>
      <ClockProvider>
        <Connected />
      </ClockProvider>
    </LanguageProvider>
  );
}

function Connected() {
  const { correct } = useClock();
  return (
    <ApiProvider onClock={correct}>
      <ToastProvider>
        <Places />
      </ToastProvider>
    </ApiProvider>
  );
}

function Places() {
  const [path] = useLocation();
  const session = useSession();
  const words = useWords();
  const text = useText({ en, fr });
  if (session.data === undefined) {
    // Asked for before anything else is drawn: a few milliseconds, and nothing flashes.
    if (!session.isError) return null;
    return (
      <Alone title={words.fault.title}>
        <FaultNote fault={session.error} />
        <Button onClick={() => void session.refetch()}>{words.retry}</Button>
      </Alone>
    );
  }
  const open = OPEN_ROUTES.map((route) => (
    <Route key={route.path} path={route.path}>
      {() => <route.page.Page params={{}} />}
    </Route>
  ));
  if (!session.data.signed_in) {
    return (
      <Boundary key={path}>
        <Switch>
          {open}
          <Route>{session.data.setup_needed ? <Redirect to="/setup" replace /> : <ToSignIn />}</Route>
        </Switch>
      </Boundary>
    );
  }
  if (OPEN_ROUTES.some((route) => route.path === path)) {
    return (
      <Boundary key={path}>
        <Switch>{open}</Switch>
      </Boundary>
    );
  }
  return (
    <Frame>
      <Arrival />
      <Boundary key={path}>
        <Switch>
          {ROUTES.map((route) => (
            <Route key={route.path} path={route.path}>
              {(params: object) => <route.page.Page params={params as Record<string, string>} />}
            </Route>
          ))}
          <Route>
            <Page title={text.notFound.title} lead={text.notFound.text(path)}>
              <p>
                <Link to="/">{text.notFound.home}</Link>
              </p>
            </Page>
          </Route>
        </Switch>
      </Boundary>
    </Frame>
  );
}

/** And back to where one was. */
function ToSignIn() {
  const [path] = useLocation();
  const search = useSearch();
  const here = path + (search === '' ? '' : `?${search}`);
  return <Redirect to={`/sign-in${queryText({ back: here === '/' ? null : here })}`} replace />;
}

/** On another page: from its top, and with the focus on it, as after a page that was loaded. */
function Arrival() {
  const [path] = useLocation();
  const before = useRef(path);
  useLayoutEffect(() => {
    if (before.current !== path) window.scrollTo(0, 0);
  }, [path]);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    document.getElementById('main')?.focus({ preventScroll: true });
  }, [path]);
  return null;
}
