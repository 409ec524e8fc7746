// Adds to package-lock.json the packages for other platforms that the registry in use did not have.
//
// npm leaves them out without a word, and then `npm ci` of npm 11 refuses the lock ("Missing: … from lock file") and
// that of npm 10 installs nothing for those platforms. The names and versions come from the packages that want
// them; the integrity is left open, and npm fills it in on the first install from a full registry.
//
//   node scripts/complete-lock.mjs            after `npm install <package>`
//   node scripts/complete-lock.mjs --check    only say whether something is missing
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, optionalDependencies?: Record<string, string> }} Entry
 */

const OS = /\b(android|darwin|freebsd|linux|openharmony|win32)\b/;
const CPU = /\b(arm64|arm|ia32|ppc64|riscv64|s390x|x64)\b/;
const LIBC = { musl: 'musl', musleabihf: 'musl', gnu: 'glibc', gnueabihf: 'glibc' };

/**
 * What the lock should name and does not: path in the lock to entry.
 *
 * @param {Record<string, Entry>} packages
 */
export function missingPackages(packages) {
  /** @type {Record<string, object>} */
  const missing = {};
  for (const [path, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (found(packages, path, name)) continue;
      const libc = Object.entries(LIBC).find(([suffix]) => name.endsWith(suffix))?.[1];
      missing[`node_modules/${name}`] = {
        version,
        cpu: CPU.exec(name)?.slice(1),
        dev,
        libc: OS.exec(name)?.[1] === 'linux' && libc !== undefined ? [libc] : undefined,
        optional: true,
        os: OS.exec(name)?.slice(1),
      };
    }
  }
  return missing;
}

/**
 * Whether `name` is found from `path` by walking up the node_modules folders.
 *
 * @param {Record<string, Entry>} packages
 * @param {string} path
 * @param {string} name
 */
function found(packages, path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}

function main() {
  const path = new URL('../package-lock.json', import.meta.url);
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const missing = missingPackages(lock.packages);
  const names = Object.keys(missing);
  if (names.length === 0) return console.log('package-lock.json: complete');
  if (process.argv.includes('--check')) {
    console.error(
      `package-lock.json: ${names.length} packages of other platforms are missing, such as ${names[0]}`,
    );
    console.error('Run `node scripts/complete-lock.mjs` and commit package-lock.json.');
    process.exitCode = 1;
    return;
  }
  // npm's own order
  const entries = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) =>
    a.localeCompare(b, 'en'),
  );
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
  console.log(`package-lock.json: ${names.length} packages of other platforms added`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
