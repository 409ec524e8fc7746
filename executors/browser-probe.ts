import { isAbsolute, relative, sep } from 'node:path';
import { z } from 'zod';
import { type Installed, type InstallerOptions, runInstaller } from './installer-process.ts';

/** What Playwright says of the browser it would start. */
export interface BrowserPaths {
  /** Relative to the folder of browsers: Chromium with windows, and without. */
  readonly programs: readonly string[];
}

/** What came of starting it. */
export interface BrowserTrial {
  /** `156.0.8078.79` */
  readonly version: string;
  /** Where it would look for the program that makes videos, relative; null when it is there. */
  readonly recorder: string | null;
}

const PROBE_TIMEOUT_MS = 90_000;
const MARK = 'edge-agent-probe:';
const Relative = z
  .string()
  .max(512)
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]*(?:\/[A-Za-z0-9][A-Za-z0-9 ._-]*){1,8}$/);
const Paths = z.object({ paths: z.array(z.string().max(4_096)).min(1).max(4) });
const Trial = z.object({ version: z.string().max(64), recorder: z.string().max(4_096).nullable() });

/**
 * Asks by its public interface alone: where each version of Playwright looks for its browsers is its own affair and has changed
 * often. What cannot be asked (the program for windowless use) is in the error it gives when nothing is there.
 */
const ASK = `
import json, re, sys
from playwright.sync_api import Error, sync_playwright
def missing(error):
    found = re.search(r"Executable doesn't exist at (.+)", str(error))
    return found and found.group(1).strip()
with sync_playwright() as p:
    if sys.argv[1] == "paths":
        paths = [p.chromium.executable_path]
        try: p.chromium.launch().close()
        except Error as error: paths.append(missing(error) or paths[0])
        answer = dict(paths=paths)
    else:
        browser = p.chromium.launch()
        answer = dict(version=browser.version, recorder=None)
        try: browser.new_context(record_video_dir=sys.argv[2]).new_page()
        except Error as error:
            answer["recorder"] = missing(error)
            if answer["recorder"] is None: raise
        browser.close()
print("${MARK}" + json.dumps(answer))
`;

export type Probed<T> =
  | { readonly kind: 'answered'; readonly answer: T }
  | { readonly kind: 'failed'; readonly result: Installed };

type ProbeOptions = Omit<InstallerOptions, 'timeoutMs'>;

/** `registry` is what `PLAYWRIGHT_BROWSERS_PATH` says, an empty folder. */
export async function askForPaths(
  python: string,
  registry: string,
  options: ProbeOptions,
): Promise<Probed<BrowserPaths>> {
  const asked = await ask(python, ['paths'], Paths, options);
  if (asked.kind === 'failed') return asked;
  const programs = [...new Set(asked.answer.paths.map((path) => below(registry, path)))];
  if (programs.includes(null))
    return {
      kind: 'failed',
      result: { exitCode: 0, output: '', found: 'paths outside the folder of browsers' },
    };
  return { kind: 'answered', answer: { programs: programs.filter((path) => path !== null) } };
}

/** Starts the browser once, as a flow would. */
export async function tryBrowser(
  python: string,
  registry: string,
  options: ProbeOptions,
): Promise<Probed<BrowserTrial>> {
  const asked = await ask(python, ['try', options.cwd], Trial, options);
  if (asked.kind === 'failed') return asked;
  const { version, recorder } = asked.answer;
  return {
    kind: 'answered',
    answer: { version, recorder: recorder === null ? null : below(registry, recorder) },
  };
}

async function ask<T>(
  python: string,
  args: string[],
  schema: z.ZodType<T>,
  options: ProbeOptions,
): Promise<Probed<T>> {
  const result = await runInstaller(python, ['-c', ASK, ...args], {
    ...options,
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  const line = result.output.split('\n').findLast((text) => text.startsWith(MARK));
  if (result.exitCode !== 0 || line === undefined) return { kind: 'failed', result };
  try {
    return { kind: 'answered', answer: schema.parse(JSON.parse(line.slice(MARK.length))) };
  } catch {
    return { kind: 'failed', result };
  }
}

/** With forward slashes, when it lies below and has no surprising name: packages of a bundle have a say in it. */
function below(folder: string, path: string): string | null {
  const inside = relative(folder, path);
  if (isAbsolute(inside)) return null;
  const parsed = Relative.safeParse(inside.split(sep).join('/'));
  return parsed.success ? parsed.data : null;
}
