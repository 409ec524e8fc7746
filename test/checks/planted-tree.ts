import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CONFIGURATION = [
  '.gitignore',
  '.oxlintrc.json',
  'biome.json',
  'console/web/tsconfig.json',
  'knip.jsonc',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];

export interface PlantedTree {
  /** Runs a checker of the project in the tree, as `npm run check:…` does: the script's path from the root, and arguments. */
  check(script: string, ...args: string[]): { status: number | null; output: string };
}

/** A small tree of its own with the project's configuration and packages, and `files` in it: path to text. */
export function plantedTree(files: Readonly<Record<string, string>>): PlantedTree {
  // macOS hands out a symlink; checkers compare real paths.
  const tree = realpathSync(mkdtempSync(join(tmpdir(), 'edge-agent-planted-')));
  onTestFinished(() => rmSync(tree, { recursive: true, force: true }));
  for (const name of CONFIGURATION) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    cpSync(join(ROOT, name), join(tree, name));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'), 'junction');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  return {
    check(script, ...args) {
      const child = spawnSync(process.execPath, [join(ROOT, script), ...args], {
        cwd: tree,
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1' },
      });
      return { status: child.status, output: child.stdout + child.stderr };
    },
  };
}
