import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, link?: boolean }} LockedPackage
 * @typedef {{ packages: Record<string, LockedPackage> }} Lock
 */

/**
 * Says why node_modules is not what package-lock.json names, or undefined when it is.
 *
 * npm writes node_modules/.package-lock.json last, when an install is complete. Comparing with it instead of
 * with a stamp of our own means that a plain `npm ci` or `npm install` by hand counts as well.
 *
 * @param {URL} root
 * @returns {string | undefined}
 */
export function packagesFault(root) {
  const record = new URL('node_modules/.package-lock.json', root);
  if (!existsSync(record)) return 'node_modules holds no complete install';
  const wanted = readLock(new URL('package-lock.json', root));
  const found = readLock(record);
  for (const [path, { version, integrity, optional, link }] of Object.entries(wanted)) {
    const there = found[path];
    // Optional packages are for other platforms; npm leaves them out.
    if (there === undefined && !optional && path !== '') return `${path} ${version ?? ''} is missing`;
    if (there === undefined || link) continue;
    if (there.version !== version || (integrity !== undefined && there.integrity !== integrity)) {
      return `${path} is not the ${version} of package-lock.json`;
    }
  }
  const extra = Object.keys(found).find((path) => wanted[path] === undefined);
  return extra && `${extra} is not in package-lock.json`;
}

/**
 * Says why the project's own Node cannot be used, or undefined when it can.
 *
 * @param {URL} root
 * @returns {string | undefined}
 */
export function nodeFault(root) {
  const wanted = wantedNode(root);
  const path = nodePath(root);
  if (!existsSync(path)) return `expected Node ${wanted} at ${path}, found no file`;
  const found =
    realpathSync(process.execPath) === realpathSync(path)
      ? process.version
      : spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  return found === `v${wanted}`
    ? undefined
    : `expected Node ${wanted} at ${path}, found ${found || 'a file that does not run'}`;
}

/** @param {URL} root */
export function wantedNode(root) {
  return JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).devDependencies.node;
}

/** @param {URL} root */
export function nodePath(root) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  return fileURLToPath(new URL(`node_modules/node/bin/${name}`, root));
}

/**
 * @param {URL} url
 * @returns {Record<string, LockedPackage>}
 */
function readLock(url) {
  const { packages } = /** @type {Lock} */ (JSON.parse(readFileSync(url, 'utf8')));
  delete packages[''];
  return packages;
}
