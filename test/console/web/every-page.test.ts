import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COLOURS, inaccessible } from '../../support/browser/accessibility.ts';
import type { Look } from '../../support/browser/pictures.ts';
import { CHROMIUM, startBrowser, type TestBrowser, type Visit } from '../../support/browser.ts';
import { buildPages } from '../../support/built-pages.ts';
import { signInAs } from '../../support/fleet/people.ts';
import { type Fleet, startFleet } from '../../support/fleet.ts';
import { type RunningConsole, startConsole } from '../running-console.ts';
import { EVERY_PAGE, type ListedPage, routesOfPages } from './every-page.ts';

/** Of what is good (0.1, web.dev) a fifth: a toast that comes moves nothing, a table that fills moves a scroll bar. */
const SHIFT_MAX = 0.02;
/** The fleet lives its last day in a dozen seconds; of a machine that does ten other things, in minutes. */
const START_MS = 400_000;

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
  const firstPaintsMs: number[] = [];
  const sessions = new Map<string, Awaited<ReturnType<typeof signInAs>>>();

  beforeAll(async () => {
    buildPages();
    folder = await mkdtemp(join(tmpdir(), 'every-page-'));
    [fleet, fresh, browser] = await Promise.all([
      startFleet({ folder, agents: 30, runs: 3 }),
      startConsole(),
      startBrowser(),
    ]);
    for (const login of ['admin', 'viewer']) sessions.set(login, await signInAs(fleet.url, login));
  }, START_MS);
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
  /** Before its picture is taken, for which the window is made larger. */
  const ugly = async (visit: Visit): Promise<string[]> => {
    const { score, moved } = await visit.layoutShifts();
    const wide = await visit.page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    return [
      ...(score > SHIFT_MAX ? [`moves by itself, ${score.toFixed(3)}: ${moved.join(' | ')}`] : []),
      ...(wide > 0 ? [`is ${wide} px wider than the window`] : []),
    ];
  };

  for (const page of EVERY_PAGE) {
    it(`${page.name}, on a desk: whole, still, and for everybody by day and by night`, async () => {
      await using visit = await come(page, 'light');
      const seen = await ugly(visit);
      await visit.shoot(page.name);
      const byDay = await visit.inaccessible();
      await visit.becomes('dark');
      await visit.shoot(page.name);
      const byNight = await inaccessible(visit.page, undefined, COLOURS);
      // All at once: whoever mends it has to see all of it.
      expect([...seen, ...byDay, ...byNight, ...(await visit.faults())]).toEqual([]);
    });

    it(`${page.name}, on a phone: whole and still`, async () => {
      await using visit = await come(page, 'phone');
      const seen = await ugly(visit);
      firstPaintsMs.push((await visit.firstLoad()).firstContentfulPaintMs);
      await visit.shoot(page.name);
      expect([...seen, ...(await visit.faults())]).toEqual([]);
    });
  }

  it('paints within a second, of a machine that does nothing else', () => {
    // Others use the machine too: what one of the pages can do, all of them can, as their code is as large.
    expect(Math.min(...firstPaintsMs)).toBeLessThan(1_000);
  });
});
