import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withProgress } from '../setup/with-progress.mjs';
import { buildWithCargo } from './cargo-build.ts';
import { buildGoModule, installWithGo } from './go-build.ts';
import { cachedPart, type Part, type PartBuild, partsFolder } from './part.ts';
import { downloadWheels, installPackages, takeFromWheel } from './pip-build.ts';
import type { RunStep } from './run-step.ts';

const PIP = {
  command: 'python3',
  args: ['-m', 'pip', '--version'],
  install: 'Python 3.11 or newer with pip',
};

const COMPILERS: Record<PartBuild['kind'], { command: string; args: string[]; install: string }> = {
  go: { command: 'go', args: ['version'], install: 'Go 1.24 or newer' },
  'go-module': { command: 'go', args: ['version'], install: 'Go 1.24 or newer' },
  cargo: {
    command: 'cargo',
    args: ['--version'],
    install: 'Rust 1.82 or newer, a C compiler, pkg-config and libssl-dev',
  },
  'pip-program': PIP,
  'python-packages': PIP,
  wheels: PIP,
};

/** What to install before the part can be built, or null when it is there. */
export function missingCompiler(part: Part): string | null {
  const { command, args, install } = COMPILERS[part.build.kind];
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0 ? null : install;
}

/** Builds the part into the cache. Throws with the end of the compiler's output when that fails. */
export async function buildPart(part: Part): Promise<void> {
  mkdirSync(partsFolder(), { recursive: true });
  const scratch = mkdtempSync(join(fileURLToPath(partsFolder()), 'building-'));
  const started = Date.now();
  try {
    const built = await build(part, scratch, stepsOf(part, scratch));
    const target = cachedPart(part);
    mkdirSync(dirname(target), { recursive: true });
    // Renamed as the last step: a build that was ended leaves nothing that looks complete.
    renameSync(built, target);
    console.error(`test parts: ${part.name} built in ${Math.round((Date.now() - started) / 1_000)} s`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Resolves to the path of the program, inside `scratch`. */
function build(part: Part, scratch: string, step: RunStep): Promise<string> {
  switch (part.build.kind) {
    case 'go':
      return installWithGo(part, part.build, scratch, step);
    case 'go-module':
      return buildGoModule(part, part.build, scratch, step);
    case 'cargo':
      return buildWithCargo(part, part.build, scratch, step);
    case 'pip-program':
      return takeFromWheel(part.build, part.version, scratch, step);
    case 'python-packages':
      return installPackages(part, part.build, scratch, step);
    case 'wheels':
      return downloadWheels(part, part.build, scratch, step);
  }
}

function stepsOf(part: Part, scratch: string): RunStep {
  return async (command, args, { cwd = scratch, env = {} } = {}) => {
    const { ok, output } = await withProgress({
      label: `building ${part.name}`,
      command,
      args: [...args],
      env: { ...process.env, ...env },
      cwd,
    });
    if (ok) return output;
    throw new Error(
      `expected \`${command} ${args.join(' ')}\` to succeed for ${part.name}; it failed.\n` +
        `${output.split('\n').slice(-12).join('\n')}\n` +
        `Check the network and the compiler (${COMPILERS[part.build.kind].install}), put a ${part.name} of your own on PATH, ` +
        'or skip it with EDGE_AGENT_SKIP_PARTS=1.',
    );
  };
}
