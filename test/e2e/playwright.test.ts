import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programOnPath } from '../../executors/system-browser.ts';
import type { Event } from '../../schemas/event.ts';
import type { RunReport, RunSummary } from '../../schemas/run.ts';
import { bundleOf } from '../support/bundles.ts';
import { type Daemon, startDaemon, until } from '../support/daemon.ts';
import { requirePart } from '../support/parts.ts';
import { WEB_FORM } from '../support/playwright-bundle.ts';
import { processesOf } from '../support/run-processes.ts';
import { createWorld, flowV2, v2, type World } from '../support/world.ts';

const wheels = requirePart('playwrightWheels');
const chromium = await programOnPath('chromium', process.env);
const FORM = `<!DOCTYPE html><meta charset="utf-8"><form method="post" action="/edge-artifacts/sent">
<label>Customer <input name="customer"></label><label>State <select name="state"><option>open<option>paid</select></label>
<label>Urgent <input type="checkbox" name="urgent" value="yes"></label><button>Send</button></form>`;

/** Stays in the browser until it is ended. */
const STAY = `
import time
from playwright.sync_api import sync_playwright
p = sync_playwright().start()
p.chromium.launch().new_page().goto("data:text/html,<h1>at work</h1>")
print("at work", flush=True)
time.sleep(120)
`;

describe.skipIf(wheels === null || chromium === null)('a flow for Playwright, from commit to report', () => {
  let world: World;
  let daemon: Daemon | null = null;
  const lock = readFileSync(join(WEB_FORM, 'requirements.lock'), 'utf8');
  /** The machine's own configuration of pip: where packages come from. */
  const MACHINE = { PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheels ?? '' };
  const before = Object.fromEntries(Object.keys(MACHINE).map((name) => [name, process.env[name]]));

  beforeAll(async () => {
    Object.assign(process.env, MACHINE);
    world = await createWorld();
    world.writeConfig({
      executors: { python: { installer: 'pip' } },
      source: { url: world.git.url('builder'), interval: '200ms' },
      log: { dir: join(world.folder, 'log') },
    });
  });
  afterAll(async () => {
    if (daemon !== null && daemon.process.exitCode === null) await daemon.stop('SIGKILL');
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await world[Symbol.asyncDispose]();
  });
  const formFlow = (more: object = {}, files: Record<string, string> = {}) => {
    const main = readFileSync(join(WEB_FORM, 'main.py'), 'utf8');
    const bundle = bundleOf({ 'main.py': main, 'requirements.lock': lock, ...files });
    return flowV2(world, 'web-form', 'v1', bundle, { runtime: 'playwright', ...more });
  };

  it('is made ready before it becomes active, and its screenshot is in the report', async () => {
    await world.release(v2(formFlow()));
    const { code, document } = await world.reconcile();
    expect([code, document.error]).toEqual([0, undefined]);
    const { document: events } = await world.json<Event[]>('events');
    const reasons = events
      .map(({ reason }) => reason)
      .filter((reason) => /Environment|Activated/.test(reason));
    expect(reasons).toEqual(['EnvironmentBuilt', 'EnvironmentBuilt', 'VersionActivated']);

    world.artifacts.on('/edge-artifacts/form', (_, response) =>
      response.setHeader('content-type', 'text/html').end(FORM),
    );
    let sent = '';
    world.artifacts.on('/edge-artifacts/sent', (request, response) => {
      request.on('data', (chunk: Buffer) => (sent += chunk.toString()));
      request.on('end', () => response.setHeader('content-type', 'text/html').end('<h1>Thank you</h1>'));
    });
    const input = JSON.stringify({ url: `${world.artifacts.origin}/edge-artifacts/form`, customer: 'Zoé' });
    const run = await world.json<RunReport>('trigger', 'web-form', '--input', input, '--wait');
    expect(run.document).toMatchObject({
      status: 'succeeded',
      stdout: 'Thank you\n',
      outputs: [{ name: 'form.png', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    });
    expect(run.document.outputs[0]?.size).toBeGreaterThan(1_000);
    expect(new URLSearchParams(sent).get('customer')).toBe('Zoé');
  }, 360_000);

  it('leaves no browser when the agent is killed', async () => {
    await world.release(v2(formFlow({ version: 'v2' }, { 'main.py': STAY })));
    expect((await world.reconcile()).code).toBe(0);
    daemon = startDaemon(world);
    const runs = async () => (await world.json<RunSummary[]>('runs')).document;
    await until('the control socket', () => existsSync(join(world.cache, '.agent', 'agent.sock')));
    const { document: run } = await world.json<{ run_id: string }>('trigger', 'web-form');
    const id = run.run_id;
    const log = join(world.cache, '.agent', 'runs', id, '1', 'stdout.log');
    const printed = () => {
      try {
        return readFileSync(log, 'utf8').includes('at work');
      } catch {
        return false;
      }
    };
    await until('the browser at work', printed, 60_000);
    await daemon.stop('SIGKILL');
    expect((await processesOf(id)).some((command) => command.includes('--user-data-dir'))).toBe(true);
    daemon = startDaemon(world);
    await until(
      'lost',
      async () => (await runs()).find((one) => one.run_id === id && one.state === 'lost'),
      60_000,
    );
    expect(await processesOf(id)).toEqual([]);
  }, 360_000);

  it('stalls by name when its lock has no hashes', async () => {
    await daemon?.stop();
    await world.release(v2(formFlow({ version: 'v3' }, { 'requirements.lock': 'playwright==1.65.2\n' })));
    const { code, document } = await world.reconcile();
    expect(code).toBe(4);
    expect(document.error).toMatchObject({
      code: 'requirements_invalid',
      message: expect.stringContaining('expected hashes of playwright==1.65.2'),
    });
    expect(world.current().flows['web-form']?.version).toBe('v2');
  }, 180_000);
});
