import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BrowserFolder, createBrowserFolders } from '../../executors/browser-folders.ts';
import { ownCgroup } from '../../executors/cgroup.ts';
import { removeFolder } from '../../executors/environment-folder.ts';
import { createInterpreterFinder } from '../../executors/interpreter.ts';
import { endOrphans } from '../../executors/orphans.ts';
import { createPlaywrightExecutor } from '../../executors/playwright.ts';
import type { ProcessDependencies } from '../../executors/process.ts';
import { createPythonEnvironments } from '../../executors/python-environments.ts';
import { programOnPath } from '../../executors/system-browser.ts';
import type { Executor, RunRequest, RunSettings } from '../../reconciler/ports.ts';
import type { EventDraft } from '../../schemas/event.ts';
import { createSystemClock } from '../../system/clock.ts';
import { type Bench, createBench, executorContract, SETTINGS, SPEC, text } from '../contract/executor.ts';
import { type LoopbackServer, startHttpServer } from '../support/http-server.ts';
import { requirePart } from '../support/parts.ts';
import { installPlaywright, WEB_FORM } from '../support/playwright-bundle.ts';
import { processesOf } from '../support/run-processes.ts';
import { SANDBOX_SETTINGS, sandboxIn, sandboxMissing } from '../support/sandboxed-flows.ts';

const wheels = requirePart('playwrightWheels');
const ffmpeg = requirePart('ffmpeg');
const chromium = await programOnPath('chromium', process.env);
const never = new AbortController().signal;
const PLAYWRIGHT_SPEC = { ...SPEC, runtime: 'playwright' } as const;

/** One environment and one folder of browsers for all: they are what takes long. */
const shared = join(tmpdir(), `playwright-${process.pid}-${Date.now()}`);
const envs = join(shared, 'envs');
const clock = createSystemClock();
const events: EventDraft[] = [];

function executorWith(
  machine: NodeJS.ProcessEnv,
  { cgroup = ownCgroup, ...holds }: Partial<Pick<ProcessDependencies, 'cgroup' | 'sandbox'>> = {},
) {
  const deps = {
    folder: envs,
    clock,
    environment: machine,
    events: { emit: (event: EventDraft) => void events.push(event) },
  };
  const executor = createPlaywrightExecutor({
    ...deps,
    ...holds,
    cgroup,
    environments: createPythonEnvironments(deps),
    browsers: createBrowserFolders(deps),
  });
  const ours = (settings: RunSettings) => ({ ...settings, python: OURS });
  return {
    ...executor,
    prepare: (version, settings, signal) => executor.prepare(version, ours(settings), signal),
    start: (request, settings) => executor.start(request, ours(settings)),
  } satisfies Executor as Executor;
}

const noSandbox = await sandboxMissing();

/** With ffmpeg on PATH, under its name. */
const withFfmpeg = {
  ...process.env,
  PATH: `${ffmpeg === null ? '' : join(ffmpeg, '..')}:${process.env['PATH']}`,
};

/** A Python that other accounts can run too, so that one environment serves all tests. */
const account = process.getuid?.() === 0 ? 'nobody' : null;
const python = await createInterpreterFinder(process.env).find({ ...SETTINGS, user: account }, never);
const OURS = {
  ...SETTINGS.python,
  interpreter: python.kind === 'found' ? python.path : 'auto',
};

const subject = {
  create: ({ cgroup }: ProcessDependencies) => executorWith(withFfmpeg, { cgroup }),
  adds: ['PLAYWRIGHT_BROWSERS_PATH'],
  async install(bundle: string, source: string) {
    if (!existsSync(join(bundle, 'requirements.lock'))) await installPlaywright(bundle, wheels as string);
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};

const PAGE = `<!DOCTYPE html><meta charset="utf-8"><title>Invoice</title>
<form method="post" action="/invoice"><label>Customer <input name="customer"></label>
<label>State <select name="state"><option>open<option>paid</select></label>
<label>Urgent <input type="checkbox" name="urgent" value="yes"></label><button>Send</button></form>`;

/** Runs until it is ended, with a browser that is at work. Prints a line when it is. */
const STAY = `
import os, signal, time
from playwright.sync_api import sync_playwright
signal.signal(signal.SIGINT, signal.SIG_IGN)
p = sync_playwright().start()
page = p.chromium.launch().new_page()
page.goto("data:text/html,<h1>at work</h1>")
print("at work", flush=True)
time.sleep(120)
`;

describe.skipIf(wheels === null || ffmpeg === null || chromium === null)('a flow for Playwright', () => {
  let bench: Bench;
  let server: LoopbackServer;

  beforeAll(async () => {
    await mkdir(shared, { mode: 0o755 });
    await chmod(shared, 0o755);
    const bundle = join(shared, 'bundle');
    await mkdir(bundle);
    await installPlaywright(bundle, wheels as string);
    const prepared = await executorWith(withFfmpeg).prepare(first(), SETTINGS, never);
    if (prepared.kind !== 'ready') throw new Error(prepared.message);
  }, 360_000);
  afterAll(async () => {
    for (const name of await readdir(envs)) await removeFolder(join(envs, name));
    await rm(shared, { recursive: true, force: true });
  });

  const first = () => ({
    spec: PLAYWRIGHT_SPEC,
    directory: join(shared, 'bundle'),
    entrypoint: 'main.py',
  });

  it('is made ready once', async () => {
    expect(events.map(({ reason }) => reason)).toEqual(['EnvironmentBuilt', 'EnvironmentBuilt']);
    expect(events[1]?.message).toMatch(/chromium, Chromium \d+\.[\d.]+, for Playwright 1\.65\.2/);
    expect(await executorWith(withFfmpeg).prepare(first(), SETTINGS, never)).toEqual({ kind: 'ready' });
    expect(events).toHaveLength(2);
  });

  describe('in the browser', () => {
    beforeEach(async () => {
      bench = await createBench(subject);
      server = await startHttpServer();
    });
    afterEach(async () => {
      await server[Symbol.asyncDispose]();
      await bench.dispose();
    });
    const spec = (env: Record<string, string> = {}) => ({ ...PLAYWRIGHT_SPEC, env });

    it('fills a form and leaves a screenshot among its outputs', async () => {
      server.on('/', (_, response) => response.setHeader('content-type', 'text/html').end(PAGE));
      let sent = '';
      server.on('/invoice', (request, response) => {
        request.setEncoding('utf8').on('data', (chunk: string) => {
          sent += chunk;
        });
        request.on('end', () => response.setHeader('content-type', 'text/html').end('<h1>Thank you</h1>'));
      });
      const result = await bench.run(await readFile(join(WEB_FORM, 'main.py'), 'utf8'), {
        spec: spec(),
        input: { url: server.origin, customer: 'Café Müller & fils' },
        timeoutMs: 60_000,
      });
      expect(result).toMatchObject({ status: 'succeeded', reason: null });
      expect(text(result.stdout)).toBe('Thank you\n');
      expect(text(result.stderr)).toBe('');
      expect(Object.fromEntries(new URLSearchParams(sent))).toEqual({
        customer: 'Café Müller & fils',
        state: 'paid',
        urgent: 'yes',
      });
      const picture = await readFile(join(bench.runDirectory, 'output', 'form.png'));
      expect(picture.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
      expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([640, 480]);
      expect(result.outputs).toEqual([
        { name: 'form.png', size: picture.length, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      ]);
    });

    it('leaves a trace and a video of every page when it is asked for them', async () => {
      const source = `
import asyncio, os, sys
from playwright.async_api import async_playwright
from playwright.sync_api import sync_playwright
assert sys.argv[1:] == ["--fast"] and sys.argv[0] == __file__ and __name__ == "__main__"
assert sys.path[0] == os.environ["EDGE_BUNDLE_DIR"]
with sync_playwright() as p:
    browser = p.chromium.launch()
    browser.new_page().goto("data:text/html,<h1>one</h1>")
    browser.new_context().new_page().goto("data:text/html,<h1>two</h1>")
    browser.close()
async def main():
    async with async_playwright() as p:
        context = await p.chromium.launch_persistent_context(os.environ["TMPDIR"] + "/profile")
        await context.pages[0].goto("data:text/html,<h1>three</h1>")
        await context.close()
asyncio.run(main())
with sync_playwright() as p:
    page = p.chromium.launch().new_page()
    page.goto("data:text/html,<h1>four</h1>")
    raise ValueError("not found")
`;
      const env = { EDGE_TRACE: '1', EDGE_VIDEO: '1' };
      const result = await bench.run(source, { spec: { ...spec(env), args: ['--fast'] }, timeoutMs: 60_000 });
      expect(text(result.stderr)).toMatch(/^Traceback[^]*main\.py", line 21[^]*ValueError: not found\n$/);
      expect(result).toMatchObject({ status: 'failed', exitCode: 1 });
      const names = result.outputs.map(({ name }) => name);
      expect(names.filter((name) => name.startsWith('traces/'))).toEqual(
        [1, 2, 3, 4].map((n) => `traces/${n}.zip`),
      );
      const videos = names.filter((name) => /^videos\/.*\.webm$/.test(name));
      expect(videos).toHaveLength(4);
      for (const name of names) {
        const bytes = await readFile(join(bench.runDirectory, 'output', name));
        expect([name, bytes.subarray(0, 4).toString('hex')]).toEqual([
          name,
          name.startsWith('videos/') ? '1a45dfa3' : '504b0304',
        ]);
      }
    });

    it.skipIf(account === null)(
      'works as another account, which cannot change what it runs from',
      async () => {
        const source = `
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    browser = p.chromium.launch()
    print(os.getuid() != 0, os.access(sys.prefix, os.W_OK), os.access(os.environ["PLAYWRIGHT_BROWSERS_PATH"], os.W_OK))
    browser.close()
`;
        const result = await bench.run(source, { spec: spec(), timeoutMs: 60_000 }, { user: account });
        expect(text(result.stderr)).toBe('');
        expect(result).toMatchObject({ status: 'succeeded', reason: null });
        expect(text(result.stdout)).toBe('True False False\n');
      },
      60_000,
    );
  });

  describe.each<[string, () => string | null]>([
    ['in a cgroup', ownCgroup],
    ['without a cgroup', () => null],
  ])('%s', (_, cgroup) => {
    beforeEach(async () => {
      bench = await createBench(subject, { cgroup });
    });
    afterEach(async () => {
      await bench.dispose();
    });
    const atWork = async (): Promise<void> => {
      for (const end = performance.now() + 30_000; performance.now() < end; ) {
        const said = await readFile(join(bench.runDirectory, 'stdout.log'), 'utf8').catch(() => '');
        if (said.includes('at work')) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error('expected the browser to be at work within 30 s');
    };

    it('leaves no browser process after a cancel', async () => {
      const handle = await bench.begin(STAY, { spec: PLAYWRIGHT_SPEC, timeoutMs: 60_000 });
      await atWork();
      expect(await processesOf(runIdOf(bench))).not.toEqual([]);
      handle.cancel();
      expect(await handle.done).toMatchObject({ status: 'cancelled' });
      expect(await processesOf(runIdOf(bench))).toEqual([]);
    });

    it('leaves none after a timeout', async () => {
      const handle = await bench.begin(STAY, { spec: PLAYWRIGHT_SPEC, timeoutMs: 5_000 });
      expect(await handle.done).toMatchObject({ status: 'timed_out' });
      expect(await processesOf(runIdOf(bench))).toEqual([]);
    });
  });

  describe.skipIf(noSandbox !== null)('in a sandbox', () => {
    it.each([
      ['as Playwright starts it', ''],
      ['with the sandbox of the browser inside', 'chromium_sandbox=True'],
    ])('drives a browser %s', async (_, options) => {
      bench = await createBench({
        ...subject,
        create: () => executorWith(withFfmpeg, { sandbox: sandboxIn(shared) }),
      });
      const result = await bench.run(
        `import os
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    page = p.chromium.launch(${options}).new_page()
    page.goto("data:text/html,<h1>at work</h1>")
    print(page.inner_text("h1"), os.path.exists(${JSON.stringify(join(shared, 'credentials'))} + "/device.jwk"))`,
        { spec: PLAYWRIGHT_SPEC, timeoutMs: 60_000 },
        SANDBOX_SETTINGS,
      );
      expect(text(result.stderr)).toBe('');
      expect(result).toMatchObject({ status: 'succeeded', reason: null });
      expect(text(result.stdout)).toBe('at work False\n');
      expect(await processesOf(runIdOf(bench))).toEqual([]);
      await bench.dispose();
    });
  });

  it('is ended with its browser at the next start when the agent was killed', async () => {
    bench = await createBench(subject);
    const directory = join(bench.folder, 'bundle');
    await subject.install(directory, STAY);
    const runId = runIdOf(bench);
    const request: RunRequest = {
      spec: PLAYWRIGHT_SPEC,
      directory,
      entrypoint: 'main.py',
      runId,
      attempt: 1,
      tenant: 'acme',
      version: 'v1.0.7',
      runDirectory: bench.runDirectory,
      input: {},
      timeoutMs: 60_000,
      secrets: {},
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    };
    const agent = spawn(
      process.execPath,
      [
        'test/support/flow-starter.ts',
        envs,
        JSON.stringify(request),
        JSON.stringify({ ...SETTINGS, python: OURS }),
      ],
      { env: withFfmpeg, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(agent.stdout, 'data')) as [Buffer];
    for (const end = performance.now() + 30_000; performance.now() < end; ) {
      if (readFileSync(join(bench.runDirectory, 'stdout.log'), 'utf8').includes('at work')) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const exited = once(agent, 'exit');
    agent.kill('SIGKILL');
    await exited;
    const left = await processesOf(runIdOf(bench));
    expect(left.some((command) => command.includes('--user-data-dir'))).toBe(true);
    const ended = await endOrphans({ runId, process: JSON.parse(line.toString('utf8')) });
    expect(ended.left).toBe(0);
    expect(await processesOf(runIdOf(bench))).toEqual([]);
    await bench.dispose();
  }, 180_000);

  executorContract('the playwright executor', {
    ...subject,
    create: ({ environment, cgroup }) => executorWith(environment, { cgroup }),
  });

  describe('asked before activation', () => {
    const prepare = async (
      { own, env = {} }: { own?: string | null; env?: Record<string, string> },
      settings: Partial<typeof SETTINGS> = {},
      machine: NodeJS.ProcessEnv = withFfmpeg,
    ) => {
      const directory = await mkdtemp(join(shared, 'bundle-'));
      if (own === undefined) await installPlaywright(directory, wheels as string);
      else if (own !== null) await writeFile(join(directory, 'requirements.txt'), own);
      const version = { spec: { ...PLAYWRIGHT_SPEC, env }, directory, entrypoint: 'main.py' };
      return executorWith(machine).prepare(version, { ...SETTINGS, ...settings }, never);
    };

    it.each([
      ['no requirements', null],
      ['requirements that ask for nothing', '# later\n'],
    ])('stalls with %s', async (_, own) => {
      expect(await prepare({ own })).toMatchObject({
        kind: 'stalled',
        code: 'requirements_invalid',
        message: expect.stringContaining('expected playwright among the packages'),
      });
    });

    it.each([
      ['is not there', '/no/browser', 'expected a browser at /no/browser'],
      ['does not start', '/bin/false', '/bin/false does not start'],
    ])('stalls when the named browser %s', async (_, browser, message) => {
      expect(await prepare({}, { playwright: { browser } })).toMatchObject({
        kind: 'stalled',
        code: 'browser_missing',
        message: expect.stringContaining(message),
      });
    });

    it('stalls when videos are asked for and nothing can make them', async () => {
      if ((await programOnPath('ffmpeg', process.env)) !== null) return;
      expect(await prepare({ env: { EDGE_VIDEO: '1' } }, {}, process.env)).toMatchObject({
        kind: 'stalled',
        code: 'browser_missing',
        message: expect.stringContaining('expected ffmpeg on PATH'),
      });
    });

    it('gets the folder with the browser itself on Windows, which executes no script', async () => {
      const deps = { folder: envs, clock, environment: withFfmpeg, events: null };
      const settings = { ...SETTINGS, python: OURS };
      const subject = { directory: join(shared, 'bundle'), flow: 'invoice-bot', version: 'v1.0.7' };
      const interpreter = await createInterpreterFinder(withFfmpeg).find(settings, never);
      if (interpreter.kind !== 'found') throw new Error(interpreter.message);
      const environment = await createPythonEnvironments(deps).open(subject, interpreter, settings, never);
      if (environment.kind !== 'ready') throw new Error(environment.kind);
      const here = await createBrowserFolders(deps).obtain(environment, subject, settings, never);
      if (here.kind !== 'ready') throw new Error(here.message);
      const installed = { ...withFfmpeg, PLAYWRIGHT_BROWSERS_PATH: here.registry };
      const windows = createBrowserFolders({ ...deps, environment: installed }, 'win32');
      const before = await readdir(here.registry, { recursive: true });
      for (const _ of ['made', 'found again']) {
        const there = await windows.obtain(environment, subject, settings, never);
        expect(there).toMatchObject({ kind: 'ready', registry: here.registry, video: here.video });
        expect(await readdir((there as BrowserFolder).folder)).toEqual(['.complete']);
      }
      expect(await readdir(here.registry, { recursive: true })).toEqual(before);
    });

    it('is collected with its browser when nothing needs it', async () => {
      const yesterday = new Date(Date.now() - 25 * 3_600_000);
      const made = (await readdir(envs)).filter((name) =>
        /^[0-9a-f]{16}-|^browsers-[0-9a-f]{16}$/.test(name),
      );
      for (const name of made)
        await utimes(join(envs, name, '.complete'), yesterday, yesterday).catch(() => undefined);
      const deps = { folder: envs, clock, environment: withFfmpeg, events: null };
      const options = { dryRun: true, signal: never };
      const settings = { ...SETTINGS, python: OURS };
      const needing = async (...directories: string[]) => [
        ...(await createPythonEnvironments(deps).collect(directories, settings, options)),
        ...(await createBrowserFolders(deps).collect(directories, settings, options)),
      ];
      expect(await needing(join(shared, 'bundle'))).toEqual([]);
      const gone = (await needing()).map(({ name }) => name.replace(/-?[0-9a-f]{8,16}/g, ''));
      expect(new Set(gone)).toEqual(new Set(['', 'browsers']));
    });

    it('installs a browser once where there is none, and tries again later while it cannot', async () => {
      await using mirror = await startHttpServer();
      const machine = { ...process.env, PATH: '/nowhere', PLAYWRIGHT_DOWNLOAD_HOST: mirror.origin };
      const as = { user: account };
      mirror.on('*', (_, response) => response.writeHead(503).end());
      expect(await prepare({}, as, machine)).toMatchObject({
        kind: 'retry',
        code: 'environment_failed',
      });
      mirror.on('*', (request, response) => response.end(archiveFor(request.url ?? '')));
      expect(await prepare({}, as, machine)).toEqual({ kind: 'ready' });
      const asked = mirror.requests.length;
      expect(await prepare({}, as, machine)).toEqual({ kind: 'ready' });
      expect(mirror.requests).toHaveLength(asked);
      // What it installed is its account's, and goes all the same.
      const folder = join(envs, events.at(-1)?.message.match(/browsers-[0-9a-f]{16}/)?.[0] as string);
      expect((await stat(join(folder, 'installed'))).uid).toBe(
        account === null ? process.getuid?.() : 65_534,
      );
      await removeFolder(folder);
      expect(existsSync(folder)).toBe(false);
    }, 180_000);
  });
});

/** What Playwright downloads, with Debian's browser in it. */
function archiveFor(url: string): Buffer {
  const [name, run]: [string, string] = url.includes('ffmpeg')
    ? ['ffmpeg-linux', 'true']
    : url.includes('headless-shell')
      ? ['chrome-headless-shell-linux64/chrome-headless-shell', chromium as string]
      : ['chrome-linux64/chrome', chromium as string];
  const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, "w") as archive:
    info = zipfile.ZipInfo(sys.argv[1]); info.external_attr = 0o100755 << 16
    archive.writestr(info, "#!/bin/sh\\nexec " + sys.argv[2] + ' "$@"\\n')
sys.stdout.buffer.write(out.getvalue())`;
  return spawnSync('python3', ['-c', script, name, run]).stdout;
}

function runIdOf({ runDirectory }: Bench): string {
  return runDirectory.split('/').at(-2) as string;
}
