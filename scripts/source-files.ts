import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', 'fixtures', '__pycache__']);

/** The files below `folders` of `root` that someone wrote by hand, as paths from `root` with forward slashes. */
export function sourceFiles(root: string, folders: readonly string[]): string[] {
  return folders.filter((folder) => existsSync(join(root, folder))).flatMap((folder) => below(root, folder));
}

function below(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? below(root, path) : [path];
    });
}
