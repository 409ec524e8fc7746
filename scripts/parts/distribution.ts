import { spawnSync } from 'node:child_process';

/** Programs that tests run and that come with the distribution, and the Debian package of each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  strace: 'strace',
  openssl: 'openssl',
  chromium: 'chromium',
  bwrap: 'bubblewrap',
  'systemd-run': 'systemd',
  faketime: 'faketime',
  'dbus-daemon': 'dbus-daemon',
  'dbus-send': 'dbus-bin',
  'gnome-keyring-daemon': 'gnome-keyring',
  'secret-tool': 'libsecret-tools',
};

/** The packages of those that are not on PATH. */
export function missingPrograms(): string[] {
  return Object.entries(PROGRAMS)
    .filter(([program]) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined)
    .map(([, name]) => name);
}

/** Installs them where that is allowed (root on Debian and its like); what is still missing afterwards. */
export function installPrograms(missing: readonly string[]): string[] {
  if (missing.length === 0 || process.getuid?.() !== 0) return [...missing];
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return [...missing];
  console.error(`test parts: installing ${missing.join(', ')} with apt-get`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (...args: string[]) =>
    spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  run('update', '-qq');
  run('install', '-y', '-qq', '--no-install-recommends', ...missing);
  return missingPrograms();
}
