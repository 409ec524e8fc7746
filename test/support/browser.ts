import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { inaccessible } from './browser/accessibility.ts';
import { watchFaults } from './browser/faults.ts';
import {
  type FirstLoad,
  firstLoad,
  type LayoutShift,
  layoutShifts,
  OBSERVERS,
} from './browser/first-load.ts';
import { LOOKS, type Look, shoot } from './browser/pictures.ts';
import { requireProgram } from './parts.ts';

/** Debian's Chromium; null, and noted, where there is none: `describe.skipIf(CHROMIUM === null)`. */
export const CHROMIUM = requireProgram('chromium');

export interface VisitOptions {
  readonly look?: Look;
  readonly locale?: string;
  readonly timezoneId?: string;
  readonly context?: BrowserContextOptions;
}

export interface TestBrowser {
  /** A context of its own with one page: cookies, storage and theme are those of nobody else. */
  visit(origin: string, options?: VisitOptions): Promise<Visit>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Somebody at the console's pages. Closing it throws what went wrong meanwhile, unless that was taken with `faults()`. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly look: Look;
  /** Goes to a path of the console and waits until the page has settled. */
  go(path: string): Promise<void>;
  /** Nothing is asked for and nothing is loading any more; live streams do not count. */
  settled(): Promise<void>;
  /** Types login and password at /sign-in and waits for what comes after. */
  signIn(login: string, password: string): Promise<void>;
  /** Takes a session over without typing: the cookie of somebody who signed in by the API. */
  takeSession(cookie: { readonly name: string; readonly value: string }): Promise<void>;
  /** What went wrong since the last time: console errors, violations of the policy, uncaught errors, requests that failed. */
  faults(): Promise<string[]>;
  /** Refusals that a test brings about on purpose: `401 /api/session`. */
  forgive(...faults: readonly RegExp[]): void;
  /** axe-core with the rules of WCAG 2.2 AA: what is wrong, where, and what to do. */
  inaccessible(within?: string): Promise<string[]>;
  /** The same, and throws it. */
  expectAccessible(within?: string): Promise<void>;
  /** Day or night falls; the page stays. */
  becomes(look: 'light' | 'dark'): Promise<void>;
  /** Moves that nobody's input asked for, since the page was loaded. */
  layoutShifts(): Promise<LayoutShift>;
  firstLoad(): Promise<FirstLoad>;
  /** A picture of the whole page as `.cache/screenshots/<name>-<look>.png`. */
  shoot(name: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const WAIT_MS = 30_000;
/** Nothing asked for within so long: what one answer leads to is asked for by then. */
const QUIET_MS = 150;

/** What a page shows while it waits for something; before anything else, it shows nothing. */
const LOADING = `document.querySelector('h1') === null || document.querySelector('[aria-busy="true"], .bone, .before-script') !== null`;

/** One browser; starting it takes half a second, a visit a few milliseconds. */
export async function startBrowser(): Promise<TestBrowser> {
  if (CHROMIUM === null) throw new Error('expected chromium on PATH, found none');
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // Tests run as root in containers, where its sandbox cannot be made and /dev/shm is small.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--force-color-profile=srgb'],
  });
  return {
    async visit(origin, options = {}) {
      const { look = 'light', locale = 'en-GB', timezoneId = 'Europe/Paris' } = options;
      const context = await browser.newContext({
        baseURL: origin,
        locale,
        timezoneId,
        reducedMotion: 'reduce',
        ...LOOKS[look],
        ...options.context,
      });
      context.setDefaultTimeout(WAIT_MS);
      await context.addInitScript(OBSERVERS);
      return visitOf(context, await context.newPage(), look, origin);
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

function visitOf(context: BrowserContext, page: Page, firstLook: Look, origin: string): Visit {
  let look = firstLook;
  const watch = watchFaults(page);
  const asked = new Set<object>();
  let lastAt = performance.now();
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === '/api/live' || searchParams.get('follow') === 'true') return;
    asked.add(request);
  });
  const answered = (request: object) => {
    asked.delete(request);
    lastAt = performance.now();
  };
  page.on('requestfinished', answered);
  page.on('requestfailed', answered);

  const visit: Visit = {
    page,
    context,
    get look() {
      return look;
    },
    async go(path) {
      await page.goto(path, { waitUntil: 'load' });
      await visit.settled();
    },
    async settled() {
      const until = performance.now() + WAIT_MS;
      const isQuiet = () => asked.size === 0 && performance.now() - lastAt > QUIET_MS;
      const isLoading = () => page.evaluate<boolean>(LOADING);
      while (!isQuiet() || (await isLoading())) {
        if (performance.now() > until) {
          const waits = asked.size;
          const [found, where] = [await watch.faults(), page.url()];
          throw new Error(
            `expected ${where} to have loaded within ${WAIT_MS / 1_000} s, found ${waits} requests under way${found.length === 0 ? '' : ` and:\n${found.join('\n')}`}`,
          );
        }
        await page.waitForTimeout(40);
      }
      await page.evaluate('document.fonts.ready.then(() => null)');
    },
    async signIn(login, password) {
      await visit.go('/sign-in');
      await page.locator('input[autocomplete="username"]').fill(login);
      await page.locator('input[type="password"]').fill(password);
      await page.locator('button[type="submit"]').click();
      await page.waitForURL((url) => url.pathname !== '/sign-in');
      await visit.settled();
    },
    async takeSession({ name, value }) {
      await context.addCookies([{ name, value, url: origin, httpOnly: true, sameSite: 'Strict' }]);
    },
    faults: () => watch.faults(),
    forgive: (...faults) => watch.forgive(faults),
    inaccessible: (within) => inaccessible(page, within),
    async expectAccessible(within) {
      const found = await inaccessible(page, within);
      if (found.length === 0) return;
      throw new Error(
        `expected ${new URL(page.url()).pathname} to be accessible, found:\n${found.join('\n')}`,
      );
    },
    async becomes(next) {
      look = next;
      await page.emulateMedia({ colorScheme: next });
    },
    layoutShifts: () => layoutShifts(page),
    firstLoad: () => firstLoad(page),
    shoot: (name) => shoot(page, name, look),
    async [Symbol.asyncDispose]() {
      const found = await watch.faults();
      await context.close();
      if (found.length > 0)
        throw new Error(`expected nothing to go wrong in the browser, found:\n${found.join('\n')}`);
    },
  };
  return visit;
}
