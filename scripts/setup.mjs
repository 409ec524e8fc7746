// Runs on any Node from 18 up and needs nothing installed: it is what a fresh clone begins with.
//
//   node scripts/setup.mjs                     install what package-lock.json names, if it is not there
//   node scripts/setup.mjs <file> [arguments]  the same, then run <file> under the project's own Node
//
// Everything it says goes to stderr, so that the output of <file> stays clean.
import { handOver } from './setup/hand-over.mjs';
import { installPackages, repairNode } from './setup/install.mjs';
import { nodeFault, packagesFault } from './setup/installed.mjs';
import { onlyOne } from './setup/only-one.mjs';

const root = new URL('..', import.meta.url);
const [file, ...args] = process.argv.slice(2);
/** Those that take paths of their user. */
const COMMANDS = ['cli/main.ts', 'console/main.ts'];

try {
  if (packagesFault(root) ?? nodeFault(root)) {
    await onlyOne(new URL('.cache/setup.lock', root), async () => {
      // Asked again inside the lock: another process may just have done the work.
      if (packagesFault(root)) await installPackages(root);
      // Where install scripts are blocked, the package `node` arrives without its executable.
      if (nodeFault(root)) await repairNode(root);
    });
  }
  // npm goes to the folder of the project; what its user wrote on the command line is relative to where they are.
  const asked = process.env.INIT_CWD;
  if (asked !== undefined && file !== undefined && COMMANDS.includes(file)) process.chdir(asked);
  if (file !== undefined) handOver(root, file, args);
} catch (error) {
  console.error(`edge-agent setup: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
