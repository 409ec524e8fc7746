import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const ENTRIES_MAX = 40;

/** The lines of `tree`: folders before files; a folder that holds one folder only shares its line. Hidden files are left out. */
export async function folderTree(root: string, name: string): Promise<string[]> {
  const lines = await below(root, '');
  const cut = lines.length > ENTRIES_MAX ? [`… and ${lines.length - ENTRIES_MAX} more`] : [];
  return [`${name}/`, ...lines.slice(0, ENTRIES_MAX), ...cut];
}

async function below(folder: string, indent: string): Promise<string[]> {
  const found = await visibleEntries(folder);
  const lines: string[] = [];
  for (const [index, entry] of found.entries()) {
    const last = index === found.length - 1;
    let path = entry.name;
    let inside = entry.isDirectory() ? await visibleEntries(join(folder, path)) : [];
    while (inside.length === 1 && inside[0]?.isDirectory() === true) {
      path = join(path, inside[0].name);
      inside = await visibleEntries(join(folder, path));
    }
    lines.push(`${indent}${last ? '└── ' : '├── '}${path}${entry.isDirectory() ? '/' : ''}`);
    if (entry.isDirectory()) {
      lines.push(...(await below(join(folder, path), `${indent}${last ? '    ' : '│   '}`)));
    }
  }
  return lines;
}

async function visibleEntries(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.name.startsWith('.'))
    .sort((a, b) => Number(b.isDirectory()) - Number(a.isDirectory()) || a.name.localeCompare(b.name, 'en'));
}
