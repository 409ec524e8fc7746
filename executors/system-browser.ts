import { access, constants, realpath } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where a browser may come from. */
export type BrowserSource =
  /** One program for all that Playwright calls Chromium. */
  | { readonly kind: 'program'; readonly path: string }
  /** Browsers that Playwright installed (`PLAYWRIGHT_BROWSERS_PATH` of the agent's environment). */
  | { readonly kind: 'installed'; readonly folder: string }
  /** To be installed by Playwright into a folder of ours. */
  | { readonly kind: 'install' };

/** Chromium first: it is what Playwright drives best, and what a distribution keeps up to date. */
const PROGRAMS = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge-stable',
  'microsoft-edge',
];
const USUAL: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['/opt/google/chrome/chrome', '/opt/microsoft/msedge/msedge'],
  darwin: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
};

/**
 * Where `executors.playwright.browser` lets a browser come from, in order of preference: the named one alone; with `auto` those
 * that `PLAYWRIGHT_BROWSERS_PATH` of the machine holds, those of the system, and last one that Playwright installs. A browser
 * of snap is left out: it cannot reach the folders of a run.
 */
export async function browserSources(
  browser: string,
  machine: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Promise<BrowserSource[]> {
  if (browser !== 'auto') return [{ kind: 'program', path: browser }];
  const registry = machine['PLAYWRIGHT_BROWSERS_PATH'];
  const sources: BrowserSource[] = [];
  if (registry !== undefined && isAbsolute(registry)) sources.push({ kind: 'installed', folder: registry });
  // On Windows there is no way to let Playwright start another program in the place of its own.
  if (platform !== 'win32') {
    const onPath = (await Promise.all(PROGRAMS.map((name) => programOnPath(name, machine)))).filter(
      (path) => path !== null,
    );
    for (const path of [...onPath, ...(USUAL[platform] ?? [])]) {
      const real = await realpath(path).catch(() => null);
      if (real !== null && !/^\/snap\/|\/snap$/.test(real) && (await executable(path)))
        sources.push({ kind: 'program', path });
    }
  }
  return [...sources, { kind: 'install' }];
}

/** Absolute path of the first executable of that name on `PATH`. */
export async function programOnPath(name: string, machine: NodeJS.ProcessEnv): Promise<string | null> {
  const file = process.platform === 'win32' ? `${name}.exe` : name;
  for (const folder of (machine['PATH'] ?? '').split(delimiter).filter(isAbsolute)) {
    const path = join(folder, file);
    if (await executable(path)) return path;
  }
  return null;
}

export function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
