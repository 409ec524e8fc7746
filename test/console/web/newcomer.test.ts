import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRefusal } from '../../../console/http-answers.ts';
import { StoreUnwritable } from '../../../console/store/unwritable.ts';
import type { FlowStatus, Status } from '../../../schemas/status.ts';
import { CHROMIUM, startBrowser, type TestBrowser, type Visit } from '../../support/browser.ts';
import { buildPages } from '../../support/built-pages.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
  statusOf,
} from '../running-console.ts';
import { PASSWORD, signedIn } from '../signed-in.ts';

const MINUTE_MS = 60_000;
const LANGUAGES = ['en-GB', 'fr-FR'] as const;
/** A small laptop, and the narrowest window beside another one. */
const WIDTHS = [1280, 1024] as const;
const from = (now: number, ms: number) => new Date(now + ms).toISOString();

/** A robot that was rolled back, whose every column has something to say. */
function flow(id: string, change: Partial<FlowStatus> = {}): FlowStatus {
  return {
    id,
    runtime: 'python',
    desired_version: 'v1.12.0',
    active_version: 'v1.11.3',
    previous_version: 'v1.12.0',
    health: 'unhealthy',
    phase: 'active',
    since: from(Date.now(), -3 * MINUTE_MS),
    held: { by: 'person:camille.moreau', why: 'pages of 500 lose the last customer' },
    quarantined: null,
    service: null,
    ...change,
  };
}

describe.skipIf(CHROMIUM === null)('the pages, for somebody who is new to them', () => {
  let running: RunningConsole;
  let browser: TestBrowser;
  let agent: EnrolledAgent;
  let twin: EnrolledAgent;
  let session: { name: string; value: string };

  beforeAll(async () => {
    buildPages();
    [running, browser] = await Promise.all([startConsole(), startBrowser()]);
    await addTenant(running, 'acme');
    const { cookies } = await signedIn(running, 'ann', [{ tenant: '*', role: 'admin' }]);
    const [name = '', value = ''] = Object.entries(cookies)[0] ?? [];
    session = { name, value };
    agent = await enrolAgent(running, 'acme');
    // Of the same host name.
    twin = await enrolAgent(running, 'acme');
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await running?.[Symbol.asyncDispose]();
  });

  const report = async (who: EnrolledAgent, change: Partial<Status>) => {
    const now = { generated_at: new Date().toISOString(), ...change };
    const answer = await call(who, 'POST', `${running.url}/edge/status`, statusOf(who, now));
    expect(answer.status).toBe(200);
  };
  const come = async (path: string, locale = 'en-GB', look: 'light' | 'phone' = 'light'): Promise<Visit> => {
    const visit = await browser.visit(running.url, { locale, look });
    await visit.takeSession(session);
    await visit.go(path);
    return visit;
  };
  const source = (change: Partial<Status['source']>): Status['source'] => ({
    ...statusOf(agent).source,
    ...change,
  });

  for (const locale of LANGUAGES) {
    it(`keeps the buttons of a flow inside their box and their words whole (${locale})`, async () => {
      await report(agent, { flows: [flow('crm-sync'), flow('invoice-bot', { held: null })] });
      await using visit = await come(`/agents/${agent.issuer}`, locale);
      for (const width of WIDTHS) {
        await visit.page.setViewportSize({ width, height: 800 });
        await visit.settled();
        const outside = await visit.page.evaluate<string[]>(`(() => {
          const box = document.querySelector('.table-scroll').getBoundingClientRect();
          return [...document.querySelectorAll('.table-scroll button')]
            .filter((button) => {
              const { left, right } = button.getBoundingClientRect();
              return left < box.left || right > box.right || button.scrollWidth > button.clientWidth;
            })
            .map((button) => button.textContent);
        })()`);
        expect([width, outside]).toEqual([width, []]);
        expect(await visit.page.locator('.table-scroll button').count()).toBe(4);
        expect(await visit.page.locator('.table-scroll.is-scrolled').count()).toBe(0);
      }
    });
  }

  it('says what is of the last report, and nothing of an attempt that is past or of no use', async () => {
    const soon = from(Date.now(), 10 * MINUTE_MS);
    const fact = ({ page }: Visit, name: string) =>
      page.locator('.card', { hasText: 'Wanted' }).getByText(name, { exact: true });
    await report(agent, {
      source: source({ last_sync_at: from(Date.now(), -2 * MINUTE_MS), next_attempt_at: soon }),
      flows: [flow('crm-sync', { since: new Date().toISOString(), phase: 'fetching' })],
    });
    await using visit = await come(`/agents/${agent.issuer}`);
    await visit.page.getByText('2 min. ago at its last report').waitFor();
    await visit.page.getByText('0 at its last report').waitFor();
    await fact(visit, 'Next attempt').waitFor();
    expect(await visit.page.locator('tbody tr', { hasText: 'crm-sync' }).innerText()).toContain('just now');

    await report(agent, { source: source({ next_attempt_at: from(Date.now(), -MINUTE_MS) }) });
    await fact(visit, 'Next attempt').waitFor({ state: 'detached' });

    const stalled = {
      type: 'Stalled',
      status: 'True',
      reason: 'quarantined',
      message: 'no',
      changed_at: soon,
    };
    await report(agent, {
      source: source({ next_attempt_at: soon }),
      conditions: [{ ...stalled, observed_revision: null } as Status['conditions'][number]],
    });
    await visit.page.locator('h1').getByText('Stalled').waitFor();
    expect(await fact(visit, 'Next attempt').count()).toBe(0);
    await report(agent, {});
  });

  it('gathers the processes of a machine, so that short commands do not look like a copy', async () => {
    const machine = { machine: 'm'.repeat(43), host: 'pc-1', os: 'linux' };
    for (let count = 0; count < 3; count += 1)
      await report({ ...agent, speaker: { ...machine, boot: randomUUID() } }, {});
    await using visit = await come(`/agents/${agent.issuer}?tab=identity`);
    const rows = visit.page.getByRole('table').locator('tbody tr');
    await visit.page.getByText('3 processes').waitFor();
    expect(await rows.count()).toBe(1);
    await visit.page.getByText('is a process of its own for a moment').waitFor();
  });

  it('tells two agents of one host name apart, in the list and where one looks for them', async () => {
    await using visit = await come('/agents');
    const ends = [agent, twin].map(({ issuer }) => `…${issuer.slice(-8)}`).toSorted();
    const shown = async (within: string) =>
      (await visit.page.locator(`${within} .mono`).allInnerTexts()).filter((text) => text.startsWith('…'));
    expect((await shown('tbody .agent-host')).toSorted()).toEqual(ends);
    await visit.page.locator('#agent-search').fill('pc-1');
    await visit.page.getByRole('option').nth(1).waitFor();
    expect((await shown('.found-row')).toSorted()).toEqual(ends);
    await visit.expectAccessible();
  });

  it('says before a line is pasted what it needs, and what comes after it', async () => {
    await using visit = await come('/tokens', 'fr-FR');
    const { page } = visit;
    expect(await page.locator('h1').innerText()).toBe('Enrôler une machine');
    await page.getByLabel('Client', { exact: true }).selectOption('acme');
    await page.getByRole('button', { name: 'Créer un jeton' }).click();
    await page.getByText('le programme edge-agent doit être sur la machine').waitFor();
    expect(await page.locator('.command code').innerText()).toContain('edge-agent enroll');
    const after = page.locator('p', { hasText: 'Ensuite, dans le même dossier' }).locator('code');
    expect(await after.allInnerTexts()).toEqual(['edge-agent reconcile', 'edge-agent run']);
    await visit.expectAccessible();
  });

  it.each([
    [
      'en-GB',
      /disk of the console is full: nothing was changed. Make room/,
      /disk of the console takes nothing/,
    ],
    [
      'fr-FR',
      /disque de la console est plein : rien n’a été changé/,
      /disque de la console n’accepte plus rien/,
    ],
  ] as const)(
    'says what happened and what to do when the disk is at fault (%s)',
    async (locale, full, dead) => {
      await using visit = await come('/settings', locale);
      const { page } = visit;
      visit.forgive(/503/);
      let code: 'full' | 'read_only' = 'full';
      // As the console answers; the disk of this machine stays as it is.
      await page.route('**/api/session/password', (route) => {
        const refusal = writeRefusal(new StoreUnwritable(code, 'found the disk at fault'));
        return route.fulfill({
          status: refusal?.status ?? 0,
          contentType: 'application/json',
          headers: { 'retry-after': '60' },
          body: JSON.stringify({ error: { code: refusal?.code, message: refusal?.message } }),
        });
      });
      await page.locator('input[autocomplete="current-password"]').fill(PASSWORD);
      await page.locator('input[autocomplete="new-password"]').fill('another four words long');
      await page.locator('form button[type="submit"]').click();
      await page.getByRole('alert').getByText(full).waitFor();
      code = 'read_only';
      await page.locator('form button[type="submit"]').click();
      await page.getByRole('alert').getByText(dead).waitFor();
      expect(await page.getByRole('alert').getByText(full).count()).toBe(0);
    },
  );

  it('shows the heading of a card of the audit whole on a phone', async () => {
    await using visit = await come('/audit', 'en-GB', 'phone');
    const headings = visit.page.locator('td.card-title .one-line');
    const cut = await headings.evaluateAll((all) =>
      (all as unknown as { scrollWidth: number; clientWidth: number; textContent: string }[])
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ textContent }) => textContent),
    );
    expect(await headings.count()).toBeGreaterThan(2);
    expect(cut).toEqual([]);
  });

  it('leads to older events from a page on which none of those looked at matched', async () => {
    await using visit = await come('/events');
    const { page } = visit;
    await page.route('**/api/events?*', async (route) =>
      route.fulfill({ json: { events: [], next_after: 0, next_before: 5 } }),
    );
    await visit.go('/events?q=nothing');
    await page.getByText('Nothing so far').waitFor();
    await page.getByRole('button', { name: 'Older' }).click();
    await expect.poll(() => new URL(page.url()).searchParams.get('before')).toBe('5');
  });

  it('makes the first person of a new console, and says which login is none', async () => {
    await using fresh = await startConsole();
    await using visit = await browser.visit(fresh.url);
    const { page } = visit;
    await visit.go(((await fresh.console.setupUrl()) ?? '').slice(fresh.url.length));
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Login').fill('not a login');
    await page.locator('input[type="password"]').fill(PASSWORD);
    await page.locator('button[type="submit"]').click();
    await page.getByText('At most 128 of').waitFor();
    await page.getByLabel('Login').fill('ada');
    await page.locator('button[type="submit"]').click();
    await page.waitForURL((url) => url.pathname === '/');
    expect(await page.getByRole('button', { name: /Account of/ }).textContent()).toContain('Ada');
  });
});
