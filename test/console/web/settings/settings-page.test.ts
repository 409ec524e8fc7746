import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, startBrowser, type TestBrowser, type Visit } from '../../../support/browser.ts';
import { buildPages } from '../../../support/built-pages.ts';
import { addTenant, type RunningConsole, startConsole } from '../../running-console.ts';
import { PASSWORD, signedIn } from '../../signed-in.ts';

describe.skipIf(CHROMIUM === null)('the settings', () => {
  let running: RunningConsole;
  let browser: TestBrowser;

  beforeAll(async () => {
    buildPages();
    [running, browser] = await Promise.all([startConsole(), startBrowser()]);
    await addTenant(running, 'acme');
    await signedIn(running, 'ann', [{ tenant: '*', role: 'admin' }]);
    await signedIn(running, 'vera', [{ tenant: 'acme', role: 'viewer' }]);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await running?.[Symbol.asyncDispose]();
  });

  const come = async (login: string, path: string, password = PASSWORD) => {
    const visit = await browser.visit(running.url);
    await visit.signIn(login, password);
    await visit.go(path);
    return visit;
  };
  const submit = ({ page }: Visit) => page.getByRole('dialog').locator('button[type="submit"]').click();

  it('let an admin invite a person, whose link is good, and change and remove them', async () => {
    await using visit = await come('ann', '/settings?tab=people');
    const { page } = visit;
    await page.getByRole('button', { name: 'Invite a person' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Login').fill('otto@acme.example');
    await submit(visit);
    await dialog.getByText('Choose a tenant for each role').waitFor();
    await dialog.getByLabel('Tenant 1').selectOption('acme');
    await dialog.getByLabel('Role 1').selectOption('operator');
    await submit(visit);
    const link = (await dialog.locator('code').textContent()) ?? '';
    await visit.expectAccessible();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('otto@acme.example').first().waitFor();
    expect(await page.getByText(link).count()).toBe(0);

    await using other = await browser.visit(running.url);
    await other.go(link.slice(running.url.length));
    await other.page.locator('input[type="password"]').fill('four words are enough');
    await other.page.locator('button[type="submit"]').click();
    await other.page.waitForURL((url) => url.pathname === '/');

    await page.getByRole('button', { name: 'Actions for otto@acme.example' }).click();
    await page.getByRole('menuitem', { name: 'Change roles' }).click();
    await dialog.getByLabel('Role 1').selectOption('viewer');
    await submit(visit);
    await page.getByText('Viewer · acme').nth(1).waitFor();
    await page.getByRole('button', { name: 'Actions for otto@acme.example' }).click();
    await page.getByRole('menuitem', { name: 'Remove' }).click();
    await submit(visit);
    await page.getByText('otto@acme.example is removed.').waitFor();
    other.forgive(/./);
  });

  it('let an admin make a key that opens the API, once to be seen, and revoke it', async () => {
    await using visit = await come('ann', '/settings?tab=keys');
    const { page } = visit;
    await page.getByRole('button', { name: 'Make a key' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Label').fill('Builder');
    await dialog.getByLabel('Tenant 1').selectOption('acme');
    await submit(visit);
    const secret = (await dialog.locator('code').first().textContent()) ?? '';
    const status = async () =>
      (await fetch(`${running.url}/api/agents`, { headers: { 'x-api-key': secret } })).status;
    expect(await status()).toBe(200);
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page
      .getByRole('row', { name: /Builder/ })
      .getByRole('button', { name: 'Revoke' })
      .click();
    await submit(visit);
    await page.getByText('The key “Builder” is revoked.').waitFor();
    expect(await status()).toBe(401);
  });

  it('say to others what they may do, and why the rest is off', async () => {
    await using visit = await come('vera', '/settings?tab=people');
    const { page } = visit;
    await page.getByText('Only admins see and invite people').waitFor();
    await page.getByText('You have: Viewer · acme.').waitFor();
    await visit.go('/settings?tab=tenants');
    const give = page.getByRole('button', { name: 'Give a trigger key' });
    expect(await give.getAttribute('aria-disabled')).toBe('true');
    expect(await give.getAttribute('title')).toBe('This needs the role Admin in acme.');
  });

  it('send a reader who comes to a page of others away with words, and offer no form', async () => {
    await using visit = await come('vera', '/tokens');
    await visit.page.getByText('Admins of a tenant enrol machines').waitFor();
    expect(await visit.page.locator('form').count()).toBe(0);
    await visit.go('/audit');
    await visit.page.getByText('The audit is for operators').waitFor();
    expect(await visit.page.getByRole('table').count()).toBe(0);
  });

  it.each(['/..//evil.example/x', '/.//evil.example', '//evil.example', 'https://evil.example/'])(
    'are of this console, whatever way back somebody sends: %s',
    async (back) => {
      await using visit = await browser.visit(running.url);
      await visit.go(`/sign-in?back=${encodeURIComponent(back)}`);
      await visit.page.locator('input[autocomplete="username"]').fill('ann');
      await visit.page.locator('input[type="password"]').fill(PASSWORD);
      await visit.page.locator('button[type="submit"]').click();
      await visit.page.getByRole('navigation').first().waitFor();
      expect(visit.page.url()).toBe(`${running.url}/`);
    },
  );

  it('leave an open page at once when its session ends elsewhere', async () => {
    await using visit = await come('vera', '/agents');
    await using elsewhere = await browser.visit(running.url);
    await elsewhere.takeSession((await sessionOf(visit))!);
    visit.forgive(/401/);
    elsewhere.forgive(/401/);
    await elsewhere.go('/settings');
    await elsewhere.page.getByRole('button', { name: /Account of/ }).click();
    await elsewhere.page.getByRole('menuitem', { name: 'Sign out' }).click();
    // The stream looks at its session each quarter of a minute at the latest.
    await visit.page.waitForURL(
      (url) => url.pathname === '/sign-in' && url.searchParams.get('back') === '/agents',
    );
    expect(await visit.page.getByRole('navigation').count()).toBe(0);
  });

  it('change one’s own password, and say when the present one is wrong', async () => {
    await using visit = await come('vera', '/settings');
    const { page } = visit;
    visit.forgive(/403: PUT \/api\/session\/password/);
    await page.getByLabel('Present password').fill('not this one at all');
    await page.getByLabel('New password').fill('another four words long');
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('The present password is not right.').waitFor();
    await page.getByLabel('Present password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('Your password is changed.').waitFor();
    await using again = await come('vera', '/settings', 'another four words long');
    await again.page.getByText('Your account').waitFor();
    expect(new URL(again.page.url()).pathname).toBe('/settings');
  });
});

const sessionOf = async ({ context }: Visit) =>
  (await context.cookies()).find(({ name }) => name.includes('edge_console'));
