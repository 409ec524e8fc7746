import { delimiter, sep } from 'node:path';
import { nodeFault, packagesFault, wantedNode } from './installed.mjs';
import { withProgress } from './with-progress.mjs';

const ON_WINDOWS = process.platform === 'win32';

/**
 * Installs exactly what package-lock.json names, development packages too.
 *
 * @param {URL} root
 * @returns {Promise<void>}
 */
export async function installPackages(root) {
  console.error(
    `edge-agent setup: installing packages (${packagesFault(root)}); the first time takes about a minute`,
  );
  const result = await npm(root, 'npm ci', [
    'ci',
    // Against a user's own settings: NODE_ENV=production would leave out Node itself.
    '--include=dev',
    // Packages of the project want a newer Node than the one that installs them; it is the one being installed.
    '--engine-strict=false',
    '--loglevel=error',
  ]);
  const fault = result.ok ? packagesFault(root) : undefined;
  if (!result.ok || fault) {
    throw new Error(
      `expected \`npm ci\` to install what package-lock.json names; ${fault ?? 'it failed'}.\n${beginning(result.output)}\n` +
        'Check the network and the registry that npm uses (`npm ping`), then run the same command again.',
    );
  }
  console.error(`edge-agent setup: packages installed in ${result.seconds} s`);
}

/**
 * Lets the package `node` fetch its executable, which npm leaves out when install scripts are blocked.
 *
 * @param {URL} root
 * @returns {Promise<void>}
 */
export async function repairNode(root) {
  console.error(`edge-agent setup: fetching Node ${wantedNode(root)} (${nodeFault(root)})`);
  const result = await npm(root, 'npm rebuild node', [
    'rebuild',
    'node',
    '--ignore-scripts=false',
    '--loglevel=error',
  ]);
  const fault = nodeFault(root);
  if (fault) {
    throw new Error(
      `${fault}.\n${beginning(result.output)}\n` +
        'Allow the install script of the package `node` (`npm config get ignore-scripts`, `allowScripts` in ' +
        'package.json), then run `npm rebuild node`.',
    );
  }
}

/**
 * @param {URL} root
 * @param {string} label
 * @param {string[]} args
 */
function npm(root, label, args) {
  return withProgress({ label, command: 'npm', args, cwd: root, env: outerEnvironment(), shell: ON_WINDOWS });
}

/**
 * The environment as it was before npm started us: without node_modules/.bin on PATH, since `npm ci` deletes
 * the Node in there, and without what `npm run` hands to scripts, such as a silent log level.
 */
function outerEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^npm_(lifecycle|package|config_(loglevel|local_prefix|global|omit|include))/i.test(name))
      delete env[name];
  }
  const name = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
  env[name] = (env[name] ?? '')
    .split(delimiter)
    .filter((entry) => !entry.endsWith(`node_modules${sep}.bin`))
    .join(delimiter);
  return env;
}

/**
 * The lines that name the cause: npm prints its manual after them.
 *
 * @param {string} output
 */
function beginning(output) {
  return output.split('\n').slice(0, 12).join('\n');
}
