import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every path below a folder with its kind, mode, size and content (a digest), one a line: two of them differ when anything was touched. */
export function snapshotOf(folder: string): string[] {
  const lines: string[] = [];
  const look = (path: string, below: string) => {
    for (const name of readdirSync(path).sort()) {
      const here = join(path, name);
      const shown = below === '' ? name : `${below}/${name}`;
      const stat = lstatSync(here);
      const mode = (stat.mode & 0o7777).toString(8);
      if (stat.isDirectory()) {
        lines.push(`${shown}/ ${mode}`);
        look(here, shown);
      } else if (stat.isSymbolicLink()) {
        lines.push(`${shown} -> ${readlinkSync(here)}`);
      } else if (stat.isFile()) {
        const digest = createHash('sha256').update(readFileSync(here)).digest('hex');
        lines.push(`${shown} ${mode} ${stat.nlink} ${stat.size} ${digest}`);
      } else {
        lines.push(`${shown} is neither file nor folder`);
      }
    }
  };
  look(folder, '');
  return lines;
}

/** Files and folders that a slip would overwrite, beside and above where something is unpacked. */
export function plantCanaries(folder: string): void {
  for (const path of ['etc', 'tmp', 'outside', 'd', 'Temp']) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, 'canary'), `canary of ${path}`);
  }
  for (const name of ['moo', 'evil', 'x', 'secret.txt', 'escaped.evil', 'good.txt']) {
    writeFileSync(join(folder, name), `canary ${name}`);
  }
}
