// Runs TUF's public conformance suite against client.ts: `TUF_CONFORMANCE_SUITE=<folder> npm run tuf-conformance [-- <options of pytest>]`.
// The suite is theupdateframework/tuf-conformance; it is not part of this project. Its Python packages have to be installed for
// TUF_CONFORMANCE_PYTHON (default python3), and `faketime` has to be on PATH.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const CLIENT = fileURLToPath(new URL('client.ts', import.meta.url));

const suite = process.env['TUF_CONFORMANCE_SUITE'] ?? '';
const python = process.env['TUF_CONFORMANCE_PYTHON'] ?? 'python3';
const fault = missing();
if (fault === null) process.exitCode = await run();
else {
  console.error(`tuf-conformance: ${fault}`);
  process.exitCode = 2;
}

function missing(): string | null {
  if (!existsSync(join(suite, 'tuf_conformance', 'conftest.py'))) {
    return `expected TUF_CONFORMANCE_SUITE to name a checkout of theupdateframework/tuf-conformance, found "${suite}"`;
  }
  if (spawnSync(python, ['-c', 'import tuf, pytest'], { stdio: 'ignore' }).status !== 0) {
    return `expected ${python} with the packages of ${join(suite, 'pyproject.toml')}, found none; install them in an environment and name it with TUF_CONFORMANCE_PYTHON`;
  }
  if (spawnSync('faketime', ['--version'], { stdio: 'ignore' }).error !== undefined) {
    return 'expected faketime on PATH, found none; install the package faketime';
  }
  return null;
}

async function run(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tuf-conformance-'));
  try {
    // The suite starts it some six hundred times: one file starts in a third of the time.
    const client = join(folder, 'client.mjs');
    const bundle = await rolldown({ input: CLIENT, platform: 'node' });
    await bundle.write({ file: client, format: 'esm' });
    await bundle.close();
    const entrypoint = `${process.execPath} ${client}`;
    const given = process.argv.slice(2);
    const args = [
      '-m',
      'pytest',
      'tuf_conformance',
      '-p',
      'no:cacheprovider',
      '--entrypoint',
      entrypoint,
      ...given,
    ];
    return spawnSync(python, args, { cwd: suite, stdio: 'inherit' }).status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
