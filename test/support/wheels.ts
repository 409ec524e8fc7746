import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LoopbackServer, startHttpServer } from './http-server.ts';

export interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: Buffer;
  readonly sha256: string;
  /** Its line of a lock. */
  readonly line: string;
}

const MAKE = `
import sys, zipfile
name, version, path, source, requires, extra = sys.argv[1:7]
info = f"{name}-{version}.dist-info"
files = {
    f"{name}.py": source,
    f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n" + (f"Requires-Dist: {requires}\\n" if requires else ""),
    f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: by-hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
if extra: files[extra.split("=", 1)[0]] = extra.split("=", 1)[1]
files[f"{info}/RECORD"] = "".join(f"{n},,\\n" for n in [*files, f"{info}/RECORD"])
with zipfile.ZipFile(path, "w") as out:
    for n, text in files.items(): out.writestr(zipfile.ZipInfo(n), text)
`;

/** A real wheel of one module, made by hand. `extra` is one more file in it, \`name=content\`. */
export function makeWheel(
  folder: string,
  name: string,
  source: string,
  options: { version?: string; requires?: string; extra?: string } = {},
): Wheel {
  const { version = '1.0', requires = '', extra = '' } = options;
  mkdirSync(folder, { recursive: true });
  const file = `${name}-${version}-py3-none-any.whl`;
  const path = join(folder, file);
  const made = spawnSync('python3', ['-c', MAKE, name, version, path, source, requires, extra], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(made.stderr);
  const bytes = readFileSync(path);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, version, file, bytes, sha256, line: `${name}==${version} --hash=sha256:${sha256}` };
}

export interface PackageIndex {
  readonly server: LoopbackServer;
  /** For the agent's environment: pip and uv use this index and no other. */
  readonly environment: Record<string, string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A package index (PEP 503) on loopback. */
export async function startPackageIndex(wheels: readonly Wheel[]): Promise<PackageIndex> {
  const server = await startHttpServer();
  for (const wheel of wheels) {
    server.on(`/simple/${wheel.name}/`, (_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<!DOCTYPE html><a href="/files/${wheel.file}#sha256=${wheel.sha256}">${wheel.file}</a>`);
    });
    server.on(`/files/${wheel.file}`, (_, response) => response.end(wheel.bytes));
  }
  const url = `${server.origin}/simple/`;
  return {
    server,
    environment: { PIP_INDEX_URL: url, UV_DEFAULT_INDEX: url },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
