import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, startBrowser, type TestBrowser, type Visit } from '../../support/browser.ts';
import { buildPages } from '../../support/built-pages.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../../support/console-world.ts';
import { type Daemon, until } from '../../support/daemon.ts';
import { addTenant, enrolAgent } from '../running-console.ts';
import { PASSWORD, signedIn } from '../signed-in.ts';
import { createDesk, factOf, robot, seenAt } from './journey-world.ts';

/** What is promised is a second; this is what nobody would believe of a machine that does twenty things at once. */
const LIVE_MAX_MS = 15_000;
const HOST = hostname();

describe.skipIf(CHROMIUM === null)('a person at the console, with a machine', () => {
  let world: ConsoleWorld;
  let browser: TestBrowser;
  let ada: Visit;
  let machine: EnrolledMachine;
  let daemon: Daemon | undefined;

  beforeAll(async () => {
    buildPages();
    [world, browser] = await Promise.all([createConsoleWorld(), startBrowser()]);
    await addTenant(world.running, 'globex');
    await signedIn(world.running, 'ada', [{ tenant: '*', role: 'admin' }]);
    await signedIn(world.running, 'vic', [{ tenant: 'acme', role: 'viewer' }]);
    await signedIn(world.running, 'gus', [{ tenant: 'globex', role: 'admin' }]);
    const answer = await api('/api/tenants/acme/trigger-key', 'PUT', { key: world.triggerKey });
    if (answer.status !== 200) throw new Error(`expected 200, found ${answer.status}`);
    await world.release([await robot(world, 'v1')]);
    ada = await browser.visit(world.url);
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    await browser?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const api = (path: string, method = 'GET', body?: unknown) =>
    fetch(world.url + path, {
      method,
      headers: {
        'x-api-key': world.running.apiKey,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const read = async <T>(path: string) => (await (await api(path)).json()) as T;
  const agentPath = () => `/agents/${machine.agentId}`;
  const dialog = () => ada.page.getByRole('dialog');
  /** Fills in why, and presses the button once the dry run has said what will happen. */
  const confirm = async (action: string) => {
    await dialog().getByLabel('Reason').fill('a journey');
    await dialog().getByRole('button', { name: action, exact: true, disabled: false }).click();
    await dialog().waitFor({ state: 'detached' });
  };
  const row = (flow: string) => ada.page.locator('tbody tr', { hasText: flow });

  it('signs in, pastes the line, and sees the machine arrive', async () => {
    await ada.signIn('ada', PASSWORD);
    await ada.page.getByRole('link', { name: 'Enrol' }).first().click();
    await ada.page.getByLabel('Tenant', { exact: true }).selectOption('acme');
    await ada.page.getByRole('button', { name: 'Make a token' }).click();
    const line = await ada.page.locator('.command code').first().innerText();
    const desk = await createDesk(join(world.folder, 'desk'));
    const arrives = seenAt(
      ada,
      `document.body.innerText.includes(${JSON.stringify(`${HOST} is an agent now`)})`,
    );
    expect(await desk.paste(line)).toContain('acme');
    await arrives;
    machine = await desk.machine();
    await ada.page.getByRole('link', { name: 'Open it' }).click();
    await ada.page.waitForURL((url) => url.pathname === agentPath());
    const connected = seenAt(ada, `document.querySelector('.light strong')?.textContent === 'Connected'`);
    const applied = seenAt(
      ada,
      `[...document.querySelectorAll('tbody tr')].some((row) => /robot.*Active.*v1/.test(row.textContent))`,
    );
    daemon = machine.start();
    await Promise.all([connected, applied]);
  });

  it('sees a release arrive where it looks, within a second of the console', async ({ annotate }) => {
    await using list = await browser.visit(world.url);
    await list.takeSession(await cookieOf(ada));
    await list.go('/releases');
    const flow = await robot(world, 'v2');
    const shown = seenAt(
      list,
      `document.querySelectorAll('tbody tr')[0]?.textContent.startsWith('Release 2')`,
    );
    const through = seenAt(
      list,
      `/Release 2.*1 of 1/.test(document.querySelectorAll('tbody tr')[0]?.textContent)`,
    );
    const appliedNow = `${factOf('Applied')}.slice(0, 7)`;
    const was = await ada.page.evaluate<string>(appliedNow);
    const changed = seenAt(ada, `${appliedNow} !== ${JSON.stringify(was)} && ${appliedNow} !== ''`);
    const { commit } = await world.release([flow]);
    const revision = `tenant/acme@sha1:${commit}`;
    const [onList, onAgent] = await Promise.all([shown, changed, through]);
    expect(await ada.page.evaluate<string>(appliedNow)).toContain(commit.slice(0, 7));

    const { releases } = await read<{ releases: { revision: string; first_seen_at: string }[] }>(
      '/api/releases',
    );
    const { changes } = await read<{ changes: { kind: string; to: string; at: string }[] }>(
      `/api/agents/${machine.agentId}/history`,
    );
    const heard = Date.parse(releases.find((each) => each.revision === revision)?.first_seen_at ?? '');
    const applied = Date.parse(
      changes.find(({ kind, to }) => kind === 'revision' && to === revision)?.at ?? '',
    );
    const [release, agent] = [onList - heard, onAgent - applied];
    await annotate(`from the console to the page: release ${release} ms, agent ${agent} ms`);
    expect(Math.max(release, agent)).toBeLessThan(LIVE_MAX_MS);

    await list.page.getByRole('link', { name: /Release 2/ }).click();
    await list.page.getByText('The one agent has applied it.').waitFor();
    await list.page.getByText('1 agent has had it').waitFor();
    expect(new URL(list.page.url()).pathname).toBe(`/releases/acme/${encodeURIComponent(revision)}`);
  });

  it('runs a flow and follows its log to the end, with what it leaves', async () => {
    const file = join(machine.folder, 'go');
    await row('robot').getByRole('button', { name: 'Run' }).click();
    await dialog()
      .getByLabel('Inputs')
      .fill(JSON.stringify({ until: file, invoices: 42 }));
    await confirm('Run');
    await ada.page.getByRole('link', { name: 'Open the run' }).click();
    await ada.page.getByText('opened the portal').waitFor();
    expect(await ada.page.getByText('read 42 invoices').count()).toBe(0);
    await writeFile(file, '');
    await ada.page.getByText('read 42 invoices with v2').waitFor();
    await ada.page.locator('h1').getByText('Succeeded').waitFor();
    await ada.page.getByRole('button', { name: 'Show report.csv' }).click();
    await dialog().getByText('invoices;42').waitFor();
    await ada.page.keyboard.press('Escape');
    await ada.page.getByRole('link', { name: /Release 2/ }).waitFor();
  });

  it('reads what the run was given, and runs it again with the same, or with other words', async () => {
    const shown = ada.page.getByRole('textbox', { name: 'What it was given' });
    expect(await shown.inputValue()).toContain('"invoices": 42');
    await ada.page.getByRole('button', { name: 'Run again' }).click();
    const inputs = dialog().getByLabel('Inputs');
    const given = JSON.parse(await inputs.inputValue()) as { until: string; invoices: number };
    expect(given.invoices).toBe(42);
    await dialog().locator('code', { hasText: '"invoices":42' }).waitFor();
    const run = dialog().getByRole('button', { name: 'Run', exact: true });
    expect(await dialog().getByLabel('Reason').getAttribute('aria-required')).toBe('true');
    await dialog().getByText('Say why first').waitFor();
    // What is off is not skipped by a person's mouse.
    await run.click({ force: true });
    await dialog().getByText('Say why, in a few words').waitFor();
    await inputs.fill('{"invoices":');
    await dialog().getByRole('alert').getByText('Expected the inputs to be a JSON object').waitFor();
    expect(await inputs.getAttribute('aria-invalid')).toBe('true');
    await inputs.fill(JSON.stringify({ ...given, invoices: 7 }));
    await dialog().locator('code', { hasText: '"invoices":7' }).waitFor();
    await confirm('Run');
    await ada.page.getByRole('link', { name: 'Open the run' }).click();
    await ada.page.getByText('read 7 invoices with v2').waitFor();
    await ada.page.locator('h1').getByText('Succeeded').waitFor();
  });

  it('rolls back, and the machine does', async () => {
    await ada.go(agentPath());
    await row('robot').getByRole('button', { name: 'Roll back' }).click();
    expect(await dialog().getByRole('listitem').innerText()).toMatch(/robot: v2 → v1/);
    const back = seenAt(
      ada,
      `/robot.*v1.*Held by/.test([...document.querySelectorAll('tbody tr')].map((row) => row.textContent).join(' '))`,
    );
    await confirm('Roll back');
    const current = async () =>
      JSON.parse(await readFile(join(machine.cache, 'acme/current.json'), 'utf8')) as {
        flows: Record<string, { version: string }>;
      };
    await until('v1 in current.json', async () => (await current()).flows['robot']?.version === 'v1', 90_000);
    await back;
  });

  it('reads at the command what became of it', async () => {
    await ada.go(`${agentPath()}?tab=commands`);
    const command = ada.page.locator('tbody tr', { hasText: 'Roll back' });
    await command.getByText('Done', { exact: true }).waitFor();
    expect(await command.innerText()).toMatch(/robot → v1/);
    expect(await command.innerText()).toContain('is rolled back by person:ada to v1');
    await command.getByRole('link', { name: 'Its events' }).click();
    await ada.page.getByText('CommandDone').first().waitFor();
    expect(await ada.page.locator('tbody tr').count()).toBe(2);
    await ada.go(agentPath());
  });

  it('says everywhere that the machine is off its branch since, and finds it', async () => {
    await ada.go('/');
    await ada.page.locator('.verdict', { hasText: '1 agent of 1 holds back robot' }).waitFor();
    expect(await ada.page.locator('main').innerText()).not.toContain('nothing needs you');
    await ada.page.locator('.verdict').getByRole('link', { name: 'Show it' }).click();
    await ada.page.locator('tbody tr', { hasText: HOST }).getByText('holds back robot').waitFor();
    expect(new URL(ada.page.url()).search).toContain('held=yes');
    await ada.go('/releases');
    await ada.page.locator('tbody tr', { hasText: /Release 2.*0 of 1.*1 held back/ }).waitFor();
    expect(await row('Release 1').innerText()).toContain('Replaced everywhere');
    await ada.page.getByRole('link', { name: /Release 2/ }).click();
    await ada.page
      .locator('.verdict', { hasText: '0 of 1 agent has applied it, 1 holds a flow of it back' })
      .waitFor();
    await ada.page.getByRole('link', { name: 'Agents that hold a flow back' }).click();
    await ada.page.locator('tbody tr', { hasText: HOST }).waitFor();
    await ada.go('/flows/acme/robot');
    await row('v1').getByRole('link', { name: '1 was rolled back by hand' }).waitFor();
    await ada.go(`${agentPath()}?tab=history`);
    await row('rolled robot back to v1').getByText('a journey').waitFor();
  });

  it('reads why a release fails in the words of the machine, and what to do', async () => {
    await ada.go(agentPath());
    const stalls = seenAt(
      ada,
      `document.querySelector('.note.is-bad')?.textContent.includes('health_failed')`,
    );
    const { commit } = await world.release([await robot(world, 'v3', false)]);
    await stalls;
    const { conditions } = await machine.json<{
      conditions: { type: string; status: string; message: string }[];
    }>('status');
    const message =
      conditions.find(({ type, status }) => type === 'Stalled' && status === 'True')?.message ?? '';
    expect(message).toContain('no licence found for the portal');
    const note = ada.page.locator('.note.is-bad');
    const back = row('robot').getByRole('button', { name: 'Roll back' });
    expect(await back.getAttribute('title')).toBe('The version before this one is the one that failed');
    expect(await note.locator('.verbatim').innerText()).toBe(message);
    expect(await note.innerText()).toContain('What to do:');
    await ada.page.getByRole('link', { name: 'Overview' }).first().click();
    await ada.page.locator('.verdict', { hasText: 'health_failed' }).getByText(message).waitFor();
    await ada.go(`/releases/acme/${encodeURIComponent(`tenant/acme@sha1:${commit}`)}`);
    await ada.page.locator('.problems-row', { hasText: message }).waitFor();
  });

  it('shows a viewer what there is, and nobody of another tenant', async () => {
    await using vic = await browser.visit(world.url);
    await vic.signIn('vic', PASSWORD);
    await vic.go(agentPath());
    const button = vic.page.getByRole('main').getByRole('button', { name: 'Run', exact: true }).first();
    expect(await button.getAttribute('aria-disabled')).toBe('true');
    expect(await button.getAttribute('title')).toBe('Needs the role operator of the tenant');
    await button.click({ force: true });
    expect(await vic.page.getByRole('dialog').count()).toBe(0);
    vic.forgive(/answered 403: POST \/api\/actions/);
    const forced = { action: 'reconcile', reason: 'by force', targets: { agents: [machine.agentId] } };
    const answer = await vic.page.evaluate<[number, { error: { code: string } }]>(`(async () => {
      const { csrf } = await (await fetch('/api/session')).json();
      const answer = await fetch('/api/actions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-csrf-token': csrf },
        body: ${JSON.stringify(JSON.stringify(forced))},
      });
      return [answer.status, await answer.json()];
    })()`);
    expect(answer).toMatchObject([403, { error: { code: 'role_too_small' } }]);

    await using gus = await browser.visit(world.url);
    gus.forgive(/answered 404: GET \/api\/agents\//);
    await gus.signIn('gus', PASSWORD);
    await gus.go(agentPath());
    await gus.page.getByText('This is not there, or not for you to see.').waitFor();
    expect(await gus.page.content()).not.toContain(HOST);
  });

  it('does all that without a mouse', async () => {
    await enrolAgent(world.running, 'acme');
    const { page } = ada;
    const focused = () =>
      page.evaluate<string>('document.activeElement.id || document.activeElement.textContent');
    await ada.go('/agents');
    await page.keyboard.press('/');
    expect(await focused()).toBe('agent-search');
    await page.keyboard.type('pc-1');
    await page.getByRole('option', { name: /pc-1/ }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    const first = await focused();
    await page.keyboard.press('j');
    const second = await focused();
    expect([first, second].filter((text) => text.includes('pc-1'))).toHaveLength(1);
    await page.keyboard.press('k');
    expect(await focused()).toBe(first);
    await page.keyboard.press('x');
    await page.getByRole('group', { name: '1 selected' }).waitFor();
    for (let tries = 0; tries < 30 && (await focused()) !== 'Suspend'; tries += 1)
      await page.keyboard.press('Shift+Tab');
    expect(await focused()).toBe('Suspend');
    await page.keyboard.press('Enter');
    await dialog().waitFor();
    for (let tries = 0; tries < 12; tries += 1) {
      await page.keyboard.press('Tab');
      expect(
        await page.evaluate(
          `document.activeElement === document.body || document.activeElement.closest('dialog') !== null`,
        ),
      ).toBe(true);
    }
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
    expect(await focused()).toBe('Suspend');
    // The same by its own button, which takes the dialog away.
    await page.keyboard.press('Enter');
    await dialog().getByRole('button', { name: 'Cancel' }).focus();
    await page.keyboard.press('Enter');
    await dialog().waitFor({ state: 'detached' });
    expect(await focused()).toBe('Suspend');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => /^\/agents\/[^/]+$/.test(url.pathname));
    expect(await ada.faults()).toEqual([]);
  });
});

/** Of somebody who has signed in by typing. */
async function cookieOf({ context }: Visit): Promise<{ name: string; value: string }> {
  const found = (await context.cookies()).find(({ name }) => name.endsWith('edge_console'));
  if (found === undefined) throw new Error('expected a session, found none');
  return found;
}
