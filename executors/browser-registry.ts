import { chmod, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A script where Playwright looks for `program` (relative to the registry), which starts `target`. Chromium makes a socket in
 * TMPDIR and ends when its path has more than 107 bytes (`process_singleton_posix.cc`); a run's folder is easily longer. On
 * Linux the folder has a short name too: that of a descriptor of the process that keeps it open.
 */
export async function writeScript(registry: string, program: string, target: string): Promise<void> {
  const path = join(registry, program);
  const folders = program.split('/').slice(0, -1);
  for (const depth of folders.keys()) await passable(join(registry, ...folders.slice(0, depth + 1)));
  const short =
    process.platform === 'linux'
      ? '[ -r "$TMPDIR" ] && exec 9<"$TMPDIR" && export TMPDIR=/proc/$$/fd/9\n'
      : '';
  const quoted = `'${target.replaceAll("'", `'\\''`)}'`;
  await writeFile(path, `#!/bin/sh\n${short}exec ${quoted} "$@"\n`);
  await chmod(path, 0o755);
}

/**
 * Playwright looks for missing libraries beside its own programs every 30 days, and notes it in a file of this name. Nobody
 * writes here any more, and beside a script there is nothing to look at; the trial is what tells.
 */
export async function markChecked(registry: string): Promise<void> {
  const always = new Date('2100-01-01T00:00:00Z');
  for (const name of await readdir(registry)) {
    if (name.startsWith('.')) continue;
    const path = join(registry, name, 'DEPENDENCIES_VALIDATED');
    await writeFile(path, '');
    await utimes(path, always, always);
  }
}

/** Whatever the umask: flows may run as another account, and so does the trial. */
export async function passable(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
}
