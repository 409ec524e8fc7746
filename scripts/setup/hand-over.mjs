import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { nodePath } from './installed.mjs';

/**
 * Runs `file` under the project's own Node, in place of this process where the platform can do that.
 *
 * @param {URL} root
 * @param {string} file path below `root`
 * @param {string[]} args
 */
export function handOver(root, file, args) {
  const node = nodePath(root);
  const path = fileURLToPath(new URL(file, root));
  const argv = [path, ...args];
  // From Node 22.15 on POSIX: no process of ours stays in between, so signals and exit codes are exact.
  if (process.execve !== undefined && process.platform !== 'win32') process.execve(node, [node, ...argv]);
  else relay(node, argv);
}

/**
 * @param {string} node
 * @param {string[]} argv
 */
function relay(node, argv) {
  const child = spawn(node, argv, { stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the child by itself; passing it on would make two of one.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`edge-agent setup: expected ${node} to run, found: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  });
}
