import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AGENT_MAIN } from '../../support/agent-program.ts';
import type { Visit } from '../../support/browser.ts';
import { bundleOf } from '../../support/bundles.ts';
import { type ConsoleWorld, type EnrolledMachine, machineIn } from '../../support/console-world.ts';

const run = promisify(execFile);
const PASTE_MS = 90_000;
const SEEN_MS = 90_000;

/** A machine as somebody sits at it: a shell, a home of its own, `edge-agent` on PATH. */
export interface Desk {
  readonly folder: string;
  /** What is pasted is run by `sh`, as it is. */
  paste(line: string): Promise<string>;
  /** What it has become by the line. */
  machine(): Promise<EnrolledMachine>;
}

export async function createDesk(folder: string): Promise<Desk> {
  const [home, bin] = [join(folder, 'home'), join(folder, 'bin')];
  await mkdir(home, { recursive: true });
  await mkdir(bin, { recursive: true });
  const program = join(bin, 'edge-agent');
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${AGENT_MAIN}" "$@"\n`);
  await chmod(program, 0o755);
  const cache = join(home, 'EdgeFlows');
  return {
    folder,
    async paste(line) {
      const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: home };
      const { stdout, stderr } = await run('sh', ['-c', line], { cwd: folder, env, timeout: PASTE_MS });
      return stdout + stderr;
    },
    async machine() {
      const machine = await machineIn(folder, cache);
      // The tests start it with a home that is not the desk's.
      await machine.adjust([
        [['edge_cache_dir'], cache],
        [['uploads', 'enabled'], true],
      ]);
      return machine;
    },
  };
}

/** A flow that says what it does, waits for a file, and leaves another; `licensed`: whether its health check holds. */
export async function robot(world: ConsoleWorld, version: string, licensed = true): Promise<object> {
  const check = licensed ? '0' : '"no licence found for the portal"';
  const bundle = bundleOf({
    'main.py': `import json, os, sys, time
if sys.argv[1:] == ["--self-test"]: sys.exit(${check})
given = json.load(open(os.environ["EDGE_INPUT"]))
print("\\x1b[32mopened the portal\\x1b[0m", flush=True)
while not os.path.exists(given["until"]): time.sleep(0.05)
print("read", given["invoices"], "invoices with ${version}", flush=True)
open(os.path.join(os.environ["EDGE_OUTPUT_DIR"], "report.csv"), "w").write("invoices;%d" % given["invoices"])
`,
  });
  const edge_url = await world.upload(`robot-${version}.tar.gz`, bundle);
  const health = { args: ['--self-test'], timeout: '60s' };
  return { id: 'robot', version, edge_url, sha256: bundle.sha256, runtime: 'python', health };
}

/** When the page shows it (ms since the epoch, of this very machine): `shows` is an expression of the page. Nobody loads it again. */
export function seenAt(visit: Visit, shows: string): Promise<number> {
  return visit.page.evaluate<number>(`new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(${JSON.stringify(`expected the page to show: ${shows}`)})), ${SEEN_MS});
    const look = () => {
      if (!(${shows})) return;
      watch.disconnect();
      clearTimeout(late);
      resolve(Date.now());
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
    look();
  })`);
}

/** The value beside a name, as `Applied`. */
export const factOf = (name: string) =>
  `([...document.querySelectorAll('dt')].find((each) => each.textContent === ${JSON.stringify(name)})?.nextElementSibling?.textContent ?? '')`;
