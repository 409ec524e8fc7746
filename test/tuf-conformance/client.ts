// The client under test of theupdateframework/tuf-conformance (its CLIENT-CLI.md): the agent's TUF client on the network, with files
// where the agent has its trust memory. `npm run tuf-conformance` runs the suite against it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Refused } from '../../reconciler/ports.ts';
import type { TufTarget } from '../../schemas/tuf.ts';
import { createHttpClient } from '../../system/http-client.ts';
import { HttpError } from '../../system/http-error.ts';
import { bytesFault } from '../../trust/tuf/metadata.ts';
import { refreshTopLevel } from '../../trust/tuf/refresh.ts';
import type { TufFiles, TufKept } from '../../trust/tuf/repository.ts';
import { followRoots, readTrustedRoot } from '../../trust/tuf/root-walk.ts';
import { createTargetFinder, type TufTargetFinder } from '../../trust/tuf/targets.ts';

const DEADLINE_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true },
    'target-dir': { type: 'string' },
    'target-base-url': { type: 'string' },
  },
});

const client = createHttpClient({ userAgent: 'edge-agent-tuf-conformance', environment: {} });

/** Rejects for everything that is not the file, or a clear no. */
async function download(url: URL, maxBytes: number): Promise<Uint8Array | 'missing' | 'too_large'> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const response = await client.request({ method: 'GET', url, signal, deadlineMs: DEADLINE_MS, maxBytes });
  if (response.status === 404 || response.status === 403) {
    response.discard();
    return 'missing';
  }
  if (response.status !== 200)
    throw new Error(`${url.href}: expected the file, found status ${response.status}`);
  try {
    return await response.bytes();
  } catch (error) {
    if (error instanceof HttpError && error.code === 'too_large') return 'too_large';
    throw error;
  }
}

function keptIn(folder: string): TufKept & { root(): Uint8Array } {
  const path = (role: string) => join(folder, `${encodeURIComponent(role)}.json`);
  const read = (role: string): Uint8Array | null => {
    try {
      return readFileSync(path(role));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  };
  return {
    root: () => readFileSync(path('root')),
    remembered(role) {
      const bytes = read(role);
      return bytes === null ? [] : [bytes];
    },
    accept: (role, metadata) => writeFileSync(path(role), metadata.bytes),
  };
}

/** Throws with the refusal's code and message. */
function believed<T extends { readonly kind: string }>(found: T | Refused): Exclude<T, Refused> {
  if (isRefused(found)) throw new Error(`${found.code}: ${found.message}`);
  return found as Exclude<T, Refused>;
}

function isRefused(found: { readonly kind: string }): found is Refused {
  return found.kind === 'refused';
}

async function refresh(
  folder: string,
  url: string,
): Promise<{ finder: TufTargetFinder; consistent: boolean }> {
  const kept = keptIn(folder);
  const files: TufFiles = { read: (name, maxBytes) => download(new URL(name, withSlash(url)), maxBytes) };
  const time = new Date();
  const trusted = believed(readTrustedRoot(kept.root(), 'root.json'));
  const root = believed(await followRoots(trusted, files, (next) => kept.accept('root', next)));
  const topLevel = believed(await refreshTopLevel(root, files, kept, time));
  const finder = createTargetFinder(topLevel, files, kept, time);
  believed(await finder.top());
  return { finder, consistent: root.signed.consistent_snapshot };
}

async function fetchTarget(path: string, target: TufTarget, to: string, base: string, consistent: boolean) {
  const file = join(to, encodeURIComponent(path));
  try {
    if (bytesFault(readFileSync(file), target) === null) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const at = path.lastIndexOf('/') + 1;
  const prefix = consistent ? `${Object.values(target.hashes)[0]}.` : '';
  const url = new URL(`${path.slice(0, at)}${prefix}${path.slice(at)}`, withSlash(base));
  const bytes = await download(url, target.length);
  if (!(bytes instanceof Uint8Array)) throw new Error(`${path}: expected the target, found it ${bytes}`);
  const fault = bytesFault(bytes, target);
  if (fault !== null) throw new Error(`${path}: ${fault}`);
  writeFileSync(file, bytes);
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

function given(name: 'metadata-dir' | 'metadata-url' | 'target-dir' | 'target-base-url'): string {
  const value = values[name];
  if (value === undefined) throw new Error(`expected --${name}`);
  return value;
}

async function main(): Promise<void> {
  const [command, argument] = positionals;
  const folder = given('metadata-dir');
  if (command === 'init' && argument !== undefined) {
    const bytes = readFileSync(argument);
    believed(readTrustedRoot(bytes, argument));
    writeFileSync(join(folder, 'root.json'), bytes);
    return;
  }
  const { finder, consistent } = await refresh(folder, given('metadata-url'));
  if (command === 'refresh') return;
  if (command !== 'download') throw new Error(`expected init, refresh or download, found ${command}`);
  for (const path of values['target-name'] ?? []) {
    const found = believed(await finder.find(path));
    if (found.kind === 'unlisted') throw new Error(found.message);
    await fetchTarget(path, found.target, given('target-dir'), given('target-base-url'), consistent);
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  client.close();
}
