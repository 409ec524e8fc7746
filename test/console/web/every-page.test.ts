import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOOKS, type Look } from '../../support/browser/pictures.ts';
import { CHROMIUM, startBrowser, type TestBrowser, type Visit } from '../../support/browser.ts';
import { signInAs } from '../../support/fleet/people.ts';
import { type Fleet, startFleet } from '../../support/fleet.ts';
import { type RunningConsole, startConsole } from '../running-console.ts';
import { EVERY_PAGE, type ListedPage, routesOfPages } from './every-page.ts';

/** Of what is good (0.1, web.dev) a fifth: a toast that comes moves nothing, a table that fills moves a scroll bar. */
const SHIFT_MAX = 0.02;

describe('the list of pages', () => {
  it('has every route that there is, and no other', () => {
    const routes = routesOfPages();
    expect(routes.length).toBeGreaterThan(10);
    expect(new Set(EVERY_PAGE.map(({ route }) => route))).toEqual(new Set(routes));
  });
});

describe.skipIf(CHROMIUM === null)('every page', () => {
  let folder: string;
  let fleet: Fleet;
  let fresh: RunningConsole;
  let browser: TestBrowser;
  const sessions = new Map<string, Awaited<ReturnType<typeof signInAs>>>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'every-page-'));
    [fleet, fresh, browser] = await Promise.all([
      startFleet({ folder, agents: 30, runs: 3 }),
      startConsole(),
      startBrowser(),
    ]);
    for (const login of ['admin', 'viewer']) sessions.set(login, await signInAs(fleet.url, login));
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await fresh?.[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const come = async (page: ListedPage, look: Look): Promise<Visit> => {
    const { as = 'admin' } = page;
    const visit = await browser.visit(page.fresh === true ? fresh.url : fleet.url, { look });
    const session = as === null ? undefined : sessions.get(as);
    if (session !== undefined) await visit.takeSession(session);
    await visit.go(await page.path(fleet));
    return visit;
  };

  for (const page of EVERY_PAGE) {
    it.each(Object.keys(LOOKS) as Look[])(
      `${page.name} is shown, whole, still and for everybody: %s`,
      async (look) => {
        await using visit = await come(page, look);
        // What axe looks at is the same on a phone and on a desk, but for its colours and its width.
        await visit.shoot(page.name);
        await visit.expectAccessible();
        const { score, moved } = await visit.layoutShifts();
        expect({ score, moved }, 'nothing moves by itself').toSatisfy(() => score <= SHIFT_MAX);
        const wide = await visit.page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect(wide, 'nothing is wider than the window').toBeLessThanOrEqual(0);
        expect(await visit.faults()).toEqual([]);
      },
    );
  }
});
