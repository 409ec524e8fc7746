import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { bundleCommand } from '../../scripts/bundle.ts';
import { PRODUCT } from '../../scripts/imports/table.ts';
import { sourceFiles } from '../../scripts/source-files.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILDS = join(ROOT, '.cache/command');
/** Longer than any run of the tests: a build that one of them uses must not be taken from it. */
const KEPT_UNUSED_MS = 6 * 3_600_000;

/**
 * Global set-up of vitest: builds the command that tests start (agent-program.ts), unless it was built from these very sources
 * before, and tells the workers where it is.
 */
export default async function buildCommand(project: TestProject): Promise<void> {
  if (process.env['EDGE_AGENT_FROM_SOURCE'] === '1') return;
  const build = async () => {
    process.env['EDGE_AGENT_BUILT_COMMAND'] = join(await buildOfSources(), 'cli/main.js');
  };
  await build();
  project.onTestsRerun(build);
}

async function buildOfSources(): Promise<string> {
  const digest = digestOfSources();
  const folder = join(BUILDS, digest);
  if (!existsSync(folder)) {
    const making = join(BUILDS, `${digest}.${process.pid}`);
    await bundleCommand(ROOT, making);
    // Where the command finds its version.
    copyFileSync(join(ROOT, 'package.json'), join(making, 'package.json'));
    if (digestOfSources() !== digest) {
      // Somebody saved a file meanwhile: what was built is neither the one nor the other.
      rmSync(making, { recursive: true });
      return buildOfSources();
    }
    moveUnlessThere(making, folder);
  }
  const now = new Date();
  utimesSync(folder, now, now);
  for (const name of readdirSync(BUILDS)) removeUnused(join(BUILDS, name));
  return folder;
}

/** Of all that the command is made of. */
function digestOfSources(): string {
  const folders = Object.keys(PRODUCT).filter((folder) => folder !== 'console');
  const files = ['package.json', 'package-lock.json', 'scripts/bundle.ts', ...sourceFiles(ROOT, folders)];
  const hash = createHash('sha256').update(process.version);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, 16);
}

/** Another run may have been quicker with the same. */
function moveUnlessThere(making: string, folder: string): void {
  try {
    renameSync(making, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(making, { recursive: true });
  }
}

function removeUnused(folder: string): void {
  const used = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Date.now() - used > KEPT_UNUSED_MS) rmSync(folder, { recursive: true, force: true });
}
