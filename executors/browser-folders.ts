import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunSettings, Setback, Stalled } from '../reconciler/ports.ts';
import { type Account, chooseAccount } from './account.ts';
import { askForPaths, type Probed, tryBrowser } from './browser-probe.ts';
import { markChecked, passable, writeScript } from './browser-registry.ts';
import {
  type BuildPlace,
  type Built,
  type BuiltFoldersDependencies,
  createBuiltFolders,
  type RemovedFolder,
} from './built-folders.ts';
import { networkEnvironment } from './environment.ts';
import { lastLines } from './installer-failure.ts';
import { type Installed, runInstaller } from './installer-process.ts';
import type { EnvironmentSubject, PythonEnvironment } from './python-environments.ts';
import { readRequirements } from './requirements.ts';
import { type BrowserSource, browserSources, executable, programOnPath } from './system-browser.ts';

/** A folder that a flow's Playwright finds its browser in. */
export interface BrowserFolder {
  readonly kind: 'ready';
  /** Absolute. */
  readonly folder: string;
  /** For `PLAYWRIGHT_BROWSERS_PATH`. */
  readonly registry: string;
  /** Whether videos can be made. */
  readonly video: boolean;
}

export interface BrowserFolders {
  /** The folder for the Playwright of an environment: as it is, or made now. */
  obtain(
    environment: PythonEnvironment,
    subject: EnvironmentSubject,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<BrowserFolder | Setback>;
  /** A flow may start browsers of it until the function it gives is called. */
  hold(browser: BrowserFolder): () => void;
  /** Removes what an earlier life left half-built. */
  recover(): Promise<number>;
  /** Removes the folders that no bundle of `directories` needs and nobody used for a day. */
  collect(
    directories: readonly string[],
    settings: RunSettings,
    options: { dryRun: boolean; signal: AbortSignal },
  ): Promise<RemovedFolder[]>;
}

const INSTALL_TIMEOUT_MS = 30 * 60_000;
/** Part of every name: another way of making them is another folder. */
const FORMAT = 1;
const REGISTRY = 'registry';
const INSTALLED = 'installed';
/** Where an administrator says that browsers are downloaded from. Source: playwright.dev/python/docs/browsers. */
const DOWNLOAD = [
  'PLAYWRIGHT_DOWNLOAD_HOST',
  'PLAYWRIGHT_CHROMIUM_DOWNLOAD_HOST',
  'PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT',
];

/**
 * Folders of browsers as each Playwright expects them, holding scripts that start the browser of the machine (decision 0065):
 * `p.chromium.launch()` finds it, in the flow and in whatever the flow starts, without a word about it in the bundle. What is
 * asked of the bundle's own Playwright is asked as the flows' account, like a flow. Tried once before it counts as whole.
 * Windows executes no scripts: there flows get the folder that Playwright installed its browser into.
 */
export function createBrowserFolders(
  deps: BuiltFoldersDependencies,
  platform: NodeJS.Platform = process.platform,
): BrowserFolders {
  const machine = deps.environment;
  const folders = createBuiltFolders(deps, {
    kind: 'folder of browsers',
    pattern: /^browsers-[0-9a-f]{16}$/,
  });

  const nameOf = async (version: string, source: BrowserSource) =>
    `browsers-${digest([FORMAT, version, source, await programOnPath('ffmpeg', machine)])}`;

  const build = async (job: BrowserJob, place: BuildPlace): Promise<Built | Setback> => {
    const { environment, source, account, settings, signal } = job;
    const registry = registryOf(place.folder, source, platform);
    // Another account must pass through to what is its own, and can list nothing.
    if (account !== null) await chmod(place.temporary, 0o711);
    const temporary = await ownFolder(join(place.temporary, 'work'), account);
    const as = (browsers: string) => ({
      env: { ...plain(machine, settings, temporary), PLAYWRIGHT_BROWSERS_PATH: browsers },
      cwd: temporary,
      mark: place.mark,
      thorough: true,
      signal,
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    });
    const nothing = join(temporary, 'nothing');
    const asked = await askForPaths(environment.python, nothing, as(nothing));
    if (asked.kind === 'failed') return unusable('Playwright does not say where its browser belongs', asked);
    const { programs } = asked.answer;

    await passable(place.folder);
    let origin = source.kind === 'installed' ? source.folder : null;
    if (source.kind === 'install') {
      origin = await ownFolder(join(place.folder, INSTALLED), account);
      const done = await runInstaller(environment.python, ['-m', 'playwright', 'install', 'chromium'], {
        ...as(origin),
        timeoutMs: INSTALL_TIMEOUT_MS,
      });
      if (done.exitCode !== 0) return installFailure(done);
    }
    const targets = programs.map((program) => ({
      program,
      target: source.kind === 'program' ? source.path : join(origin as string, program),
    }));
    for (const { target } of targets) if (!(await executable(target))) return absent(target);
    const scripts = registry !== origin;
    if (scripts) {
      await passable(registry);
      for (const { program, target } of targets) await writeScript(registry, program, target);
    }
    // A folder of somebody else's is theirs to write to, and root writes to none of an account's.
    if (scripts || (source.kind === 'install' && account === null)) await markChecked(registry);
    let tried = await tryBrowser(environment.python, registry, as(registry));
    const recorder = tried.kind === 'answered' ? tried.answer.recorder : null;
    if (recorder !== null && scripts) {
      const own = origin === null ? null : join(origin, recorder);
      const target = own !== null && (await executable(own)) ? own : await programOnPath('ffmpeg', machine);
      if (target !== null) {
        await writeScript(registry, recorder, target);
        tried = await tryBrowser(environment.python, registry, as(registry));
      }
    }
    if (tried.kind === 'failed') return unusable(`${described(source)} does not start`, tried);
    return {
      kind: 'built',
      neededBy: job.version,
      contents: `${described(source)}, Chromium ${tried.answer.version}, for Playwright ${job.version}`,
    };
  };

  return {
    async obtain(environment, subject, settings, signal) {
      const version = playwrightVersion(environment);
      if (version === null) return noPlaywright(environment.requirements.file);
      const { browser } = settings.playwright;
      if (platform === 'win32' && browser !== 'auto')
        return browserMissing(
          'expected executors.playwright.browser: auto on Windows, found a path: set auto, and Playwright installs one',
        );
      const sources = await browserSources(browser, machine, platform);
      for (const source of sources) {
        const found = await folders.find(await nameOf(version, source));
        if (found !== null) return ready(found, registryOf(found, source, platform));
      }
      const choice = await chooseAccount(settings);
      // The bundle's packages run from here on.
      if (choice.kind === 'refused')
        return { kind: 'stalled', code: 'runtime_unsupported', message: choice.reason };
      const { account } = choice;
      const failures: Setback[] = [];
      for (const source of sources) {
        const obtained = await folders.obtain(
          await nameOf(version, source),
          (place) => build({ environment, source, version, account, settings, signal }, place),
          {
            flow: subject.flow,
            version: subject.version,
            because: `playwright ${version} in ${environment.requirements.file}`,
          },
          signal,
        );
        if (obtained.kind === 'ready')
          return ready(obtained.folder, registryOf(obtained.folder, source, platform));
        failures.push(obtained);
      }
      return together(failures);
    },

    hold: ({ folder }) => folders.hold(folder),

    recover: () => folders.recover(),

    async collect(directories, settings, options) {
      const sources = await browserSources(settings.playwright.browser, machine, platform);
      const versions = new Set<string>();
      for (const directory of directories) {
        const requirements = await readRequirements(directory);
        const found = requirements?.kind === 'locked' ? playwrightVersion({ requirements }) : null;
        if (found !== null) versions.add(found);
      }
      const names = new Set<string>();
      for (const version of versions) for (const source of sources) names.add(await nameOf(version, source));
      return folders.collect({ names, neededBy: versions }, options);
    },
  };
}

interface BrowserJob {
  readonly environment: PythonEnvironment;
  readonly source: BrowserSource;
  /** Of Playwright. */
  readonly version: string;
  readonly account: Account | null;
  readonly settings: RunSettings;
  readonly signal: AbortSignal;
}

/** `requirements_invalid`: a bundle for Playwright that does not bring it. */
export function noPlaywright(file: string | null): Stalled {
  const found = file === null ? 'no requirements.lock' : `${file} without it`;
  return {
    kind: 'stalled',
    code: 'requirements_invalid',
    message: `expected playwright among the packages of a bundle with runtime playwright, found ${found}: make a lock with \`uv pip compile --generate-hashes\` of a file that names playwright, and put it into the bundle`,
  };
}

function playwrightVersion({ requirements }: Pick<PythonEnvironment, 'requirements'>): string | null {
  return requirements.packages.find(({ name }) => name === 'playwright')?.version ?? null;
}

/** Where Playwright is to look: a folder of scripts, or what holds the browser itself. */
function registryOf(folder: string, source: BrowserSource, platform: NodeJS.Platform): string {
  if (platform !== 'win32' || source.kind === 'program') return join(folder, REGISTRY);
  return source.kind === 'installed' ? source.folder : join(folder, INSTALLED);
}

async function ready(folder: string, registry: string): Promise<BrowserFolder> {
  const video = (await readdir(registry)).some((name) => name.startsWith('ffmpeg'));
  return { kind: 'ready', folder, registry, video };
}

async function ownFolder(path: string, account: Account | null): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  if (account !== null) await chown(path, account.uid, account.gid);
  return path;
}

/** What a flow gets, and where downloads come from. */
function plain(machine: NodeJS.ProcessEnv, settings: RunSettings, home: string): Record<string, string> {
  const names = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'SystemRoot', 'SystemDrive', 'ProgramFiles', ...DOWNLOAD];
  const passed = names.flatMap((name) => (machine[name] === undefined ? [] : [[name, machine[name]]]));
  const own = { HOME: home, TMPDIR: home, PYTHONUTF8: '1', PYTHONDONTWRITEBYTECODE: '1' };
  const windows = process.platform === 'win32' ? { USERPROFILE: home, TEMP: home, TMP: home } : {};
  return { ...Object.fromEntries(passed), ...networkEnvironment(settings, machine), ...own, ...windows };
}

function browserMissing(message: string): Stalled {
  return { kind: 'stalled', code: 'browser_missing', message };
}

function described(source: BrowserSource): string {
  if (source.kind === 'program') return source.path;
  return source.kind === 'installed'
    ? `the browser in ${source.folder}`
    : 'the browser that Playwright installed';
}

function absent(path: string): Stalled {
  return browserMissing(
    `executors.playwright.browser: expected a browser at ${path}, found no program there: install one (on Debian: chromium), or name another`,
  );
}

function unusable(what: string, { result }: Extract<Probed<unknown>, { kind: 'failed' }>): Stalled {
  const how = result.found ?? `exit code ${result.exitCode}`;
  return browserMissing(`${what}: ${how}: ${lastLines(result.output)}`);
}

function installFailure(result: Installed): Setback {
  const said = `playwright install chromium: ${result.found ?? `exit code ${result.exitCode}`}: ${lastLines(result.output)}`;
  // It names the platforms that it has no browser for; anything else is a download that did not work.
  if (/does not support|not supported on/i.test(result.output))
    return browserMissing(`${said}. Install a Chromium, Chrome or Edge on this machine`);
  return {
    kind: 'retry',
    code: 'environment_failed',
    message: `found no browser on this machine, and none could be installed: ${said}. Install a Chromium, Chrome or Edge, or let it reach the download`,
  };
}

/** The last one decides what follows, as it was the last hope; the others are named. */
function together(failures: readonly Setback[]): Setback {
  const last = failures.at(-1) as Setback;
  return { ...last, message: failures.map(({ message }) => message).join('; ') };
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
