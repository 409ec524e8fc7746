import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActionAnswer } from '../../../../schemas/console/action.ts';
import { CHROMIUM, startBrowser, type TestBrowser, type Visit } from '../../../support/browser.ts';
import { buildPages } from '../../../support/built-pages.ts';
import { seededChance } from '../../../support/fleet/chance.ts';
import type { Machine } from '../../../support/fleet/machine.ts';
import { ask } from '../../../support/fleet/operator.ts';
import { goodRun } from '../../../support/fleet/output.ts';
import { signInAs } from '../../../support/fleet/people.ts';
import { type Fleet, startFleet } from '../../../support/fleet.ts';

const ESC = '\u001b';

describe.skipIf(CHROMIUM === null)('the page of a run', () => {
  let folder: string;
  let fleet: Fleet;
  let browser: TestBrowser;
  let machine: Machine;
  let session: Awaited<ReturnType<typeof signInAs>>;

  beforeAll(async () => {
    buildPages();
    folder = await mkdtemp(join(tmpdir(), 'run-page-'));
    [fleet, browser] = await Promise.all([startFleet({ folder, agents: 6, runs: 1 }), startBrowser()]);
    session = await signInAs(fleet.url, 'operator');
    const found = fleet.machines.find(
      ({ device, member }) => device.connected && member.tenant.slug === 'acme' && member.plight === 'ready',
    );
    if (found === undefined) throw new Error('expected a connected agent of acme that is ready, found none');
    machine = found;
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await fleet?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const flow = 'crm-sync';
  const begins = () => machine.begins({ flow, trigger: 'schedule' }, new Date());
  const ends = { ...goodRun(flow, seededChance(1)), stdout: 'the very end\n', files: [] };
  const come = async (runId: string, query = '') => {
    const visit = await browser.visit(fleet.url);
    await visit.takeSession(session);
    await visit.go(`/agents/${machine.device.agentId}/runs/${runId}${query}`);
    return visit;
  };
  const log = ({ page }: Visit) => page.getByRole('log');
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => `row ${from + at} is done\n`).join('');

  it('follows what is printed, lets go of somebody who scrolls up, and says when it has ended', async () => {
    const run = await begins();
    await run.prints('stdout', rows(0, 300));
    await using visit = await come(run.runId);
    const { page } = visit;
    await log(visit).getByText('row 299 is done').waitFor();
    await run.prints('stdout', rows(300, 400));
    await log(visit).getByText('row 399 is done').waitFor();

    const follow = page.getByRole('button', { name: 'Follow' });
    expect(await follow.getAttribute('aria-pressed')).toBe('true');
    await log(visit).hover();
    await page.mouse.wheel(0, -3_000);
    await page.locator('button[aria-pressed="false"]', { hasText: 'Follow' }).waitFor();
    await run.prints('stdout', rows(400, 500));
    await page.getByText('500 lines').waitFor();
    expect(await log(visit).getByText('row 499 is done').count()).toBe(0);
    await follow.click();
    await log(visit).getByText('row 499 is done').waitFor();

    await run.ends(ends, new Date());
    await log(visit).getByText('the very end').waitFor();
    await page.getByText('Succeeded').first().waitFor();
    await page.getByText('501 lines', { exact: true }).waitFor();
  });

  it('shows what was printed as text, whatever it is, in colours of its own', async () => {
    const run = await begins();
    await run.prints(
      'stdout',
      [
        '<script>document.title = "owned"</script><img src=x onerror="document.title = \'owned\'">',
        `${ESC}]8;;javascript:alert(1)${ESC}\\a link${ESC}]8;;${ESC}\\ <a href="javascript:alert(1)">another</a>`,
        `${ESC}[31mred here`,
        `and here${ESC}[0m, ${ESC}[38;2;1;2;3mblack on black?${ESC}[0m`,
        'turned \u202Eexe.gpj',
        '',
      ].join('\n'),
    );
    await run.ends(ends, new Date());
    await using visit = await come(run.runId);
    const { page } = visit;
    await log(visit).getByText('<script>document.title').waitFor();
    expect(await page.title()).toContain(flow);
    expect(await log(visit).locator('a, img, script').count()).toBe(0);
    await log(visit).getByText('a link <a href="javascript:alert(1)">another</a>').waitFor();
    expect(await log(visit).locator('.ansi-red').allTextContents()).toEqual(['red here', 'and here']);
    await log(visit).getByText('turned ‹U+202E›exe.gpj').waitFor();
    await visit.expectAccessible();
  });

  it('draws a hundred thousand lines as those in sight, and finds in all of them', async () => {
    const run = await begins();
    await run.prints('stdout', rows(0, 100_000));
    await run.ends(ends, new Date());
    await using visit = await come(run.runId);
    const { page } = visit;
    await page.getByText('100,001 lines').waitFor();
    expect(await page.locator('.log-line').count()).toBeLessThan(150);

    const field = page.getByRole('searchbox', { name: 'Find in this log' });
    await field.fill('ROW 9999');
    await page.getByText('1 of 11 lines').waitFor();
    await log(visit).getByText('row 9999 is done').waitFor();
    await page.getByRole('button', { name: 'Next line' }).click();
    await page.getByText('2 of 11 lines').waitFor();
    await log(visit).getByText('row 99990 is done').waitFor();
    await field.press('Enter');
    await page.getByText('3 of 11 lines').waitFor();
    await page.getByRole('button', { name: 'Line before' }).click();
    await page.getByText('2 of 11 lines').waitFor();
    expect(await log(visit).locator('mark').first().textContent()).toBe('row 9999');
    expect(page.url()).toContain('find=ROW+9999');
    await page.getByRole('button', { name: 'Wrap lines' }).click();
    await log(visit).getByText('row 99990 is done').waitFor();
    await field.fill('no such thing');
    await page.getByText('Not found').waitFor();
  });

  it('cancels a run that goes on, with a reason, and shows who asked', async () => {
    const { outcomes } = await ask<ActionAnswer>(fleet, 'POST', '/api/actions', {
      action: 'run',
      flow,
      targets: { agents: [machine.device.agentId] },
      reason: 'to be cancelled',
    });
    const runId = outcomes[0]?.run_id ?? '';
    await using visit = await come(runId);
    const { page } = visit;
    await page.getByText('Started', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('the wrong month');
    await dialog.locator('button[type="submit"]:not([aria-disabled])').click();
    await page.getByText('Cancelled').first().waitFor();
    await page.getByText('by person:operator').first().waitFor();
    expect(await page.getByRole('button', { name: 'Cancel the run' }).count()).toBe(0);
  });
});
