import { spawnSync } from 'node:child_process';

/** Programs that tests run and that come with the distribution, by the name of their Debian package. */
const PROGRAMS = ['strace', 'openssl', 'chromium'] as const;

/** Those that are not on PATH. */
export function missingPrograms(): string[] {
  return PROGRAMS.filter((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).error !== undefined);
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
