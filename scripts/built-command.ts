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
import { bundleCommand } from './bundle.ts';
import { PRODUCT } from './imports/table.ts';
import { sourceFiles } from './source-files.ts';

/** Longer than anything that uses one goes on: a build must not be taken from under it. */
const KEPT_UNUSED_MS = 6 * 3_600_000;

/** The command of these very sources in `.cache/command`, built unless it is there: `cli/main.js` in the folder that is answered. */
export async function builtCommand(root: string): Promise<string> {
  const builds = join(root, '.cache/command');
  const digest = digestOfSources(root);
  const folder = join(builds, digest);
  if (!existsSync(folder)) {
    const making = join(builds, `${digest}.${process.pid}`);
    await bundleCommand(root, making);
    // Where the command finds its version.
    copyFileSync(join(root, 'package.json'), join(making, 'package.json'));
    if (digestOfSources(root) !== digest) {
      // Somebody saved a file meanwhile: what was built is neither the one nor the other.
      rmSync(making, { recursive: true });
      return builtCommand(root);
    }
    moveUnlessThere(making, folder);
  }
  const now = new Date();
  utimesSync(folder, now, now);
  for (const name of readdirSync(builds)) removeUnused(join(builds, name));
  return folder;
}

/** Of all that the command is made of. */
function digestOfSources(root: string): string {
  const folders = Object.keys(PRODUCT).filter((folder) => folder !== 'console');
  const files = ['package.json', 'package-lock.json', 'scripts/bundle.ts', ...sourceFiles(root, folders)];
  const hash = createHash('sha256').update(process.version);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
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
