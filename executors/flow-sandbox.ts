import { readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import type { RunRequest, RunSettings } from '../reconciler/ports.ts';
import type { Account } from './account.ts';
import {
  bubblewrapWords,
  foldersAbove,
  hiddenPlaces,
  type SandboxFound,
  sandboxEntries,
  tryBubblewrap,
} from './bubblewrap.ts';
import { runHelper, systemProgram } from './system-program.ts';

/** Where the agent keeps what flows have no business with. Absolute paths. */
export interface AgentPlaces {
  /** `edge_cache_dir`, with a folder for each tenant. */
  readonly cache: string;
  readonly slug: string;
  /** `<cache>/.agent` */
  readonly state: string;
  readonly credentials: string;
  /** `agent.yaml` */
  readonly config: string;
  /** Files with credentials that agent.yaml names elsewhere. */
  readonly secretFiles: readonly string[];
  /** The control socket. */
  readonly socket: string;
}

export interface FlowSandbox {
  /** What there is for flows of that account; asked again after five minutes when it did not work. */
  find(account: Account | null): Promise<SandboxFound>;
  /** What stands before the command of a run; null: it runs without a sandbox. */
  words(run: SandboxedRun): Promise<readonly string[] | null>;
}

export interface SandboxedRun {
  readonly account: Account | null;
  readonly request: Pick<RunRequest, 'directory' | 'runDirectory' | 'spec'>;
  readonly settings: Pick<RunSettings, 'caFile'>;
  /** The program that is started: seen, wherever it lies. */
  readonly file: string;
  readonly work: string;
}

const ASK_AGAIN_MS = 5 * 60_000;
const LOOKUP_TIMEOUT_MS = 10_000;

/** Bubblewrap around flows (decision 0086). `places` is asked at every run: agent.yaml may have changed. */
export function createFlowSandbox(
  machine: NodeJS.ProcessEnv,
  /** Null: nothing is run in it, only asked for. */
  places: (() => AgentPlaces) | null = null,
  monotonicMs: () => number = () => performance.now(),
): FlowSandbox {
  const known = new Map<number | null, { found: SandboxFound; at: number }>();

  const find = async (account: Account | null): Promise<SandboxFound> => {
    const key = account?.uid ?? null;
    const before = known.get(key);
    if (before !== undefined && (before.found.kind === 'works' || monotonicMs() - before.at < ASK_AGAIN_MS))
      return before.found;
    const found = await look(machine, account);
    known.set(key, { found, at: monotonicMs() });
    return found;
  };

  return {
    find,
    async words(run) {
      const found = await find(run.account);
      if (found.kind !== 'works' || places === null) return null;
      const { account, request, settings, file, work } = run;
      const at = places();
      const needed = [at.cache, homedir(), file, ...(settings.caFile === null ? [] : [settings.caFile])];
      const view = {
        hidden: [
          at.state,
          ...tenantsIn(at),
          ...hiddenPlaces(at.credentials, needed),
          ...at.secretFiles,
          at.config,
          ...(dirname(at.socket) === at.state ? [] : [dirname(at.socket)]),
        ],
        readable: [
          // With what is in it hidden, the folder itself is not to be renamed or added to either.
          ...(`${homedir()}${sep}`.startsWith(`${at.cache}${sep}`) ? [] : [at.cache]),
          request.directory,
          join(at.state, 'envs'),
          ...(settings.caFile === null ? [] : [settings.caFile]),
        ],
        writable: [request.runDirectory],
        desktop: request.spec.runtime === 'playwright' || request.spec.lock === 'desktop',
        uid: account?.uid ?? process.getuid?.() ?? 0,
      };
      const entries = sandboxEntries(view);
      const above = foldersAbove(entries);
      // What it cannot even reach need not be hidden, and could not be; what it cannot rename stays by itself.
      const can = await askAs(account, [
        ...entries.map(({ path }) => `e${path}`),
        ...above.map((folder) => `w${dirname(folder)}`),
      ]);
      const held = above
        .filter((folder) => can.has(`w${dirname(folder)}`))
        .map((path) => ({ path, how: 'writable' as const }));
      const seen = entries.filter(({ path }) => can.has(`e${path}`));
      const all = [...held, ...seen].sort((one, other) => one.path.length - other.path.length);
      return bubblewrapWords(found.program, all, work);
    },
  };
}

async function look(machine: NodeJS.ProcessEnv, account: Account | null): Promise<SandboxFound> {
  const none = (found: string, advice: string | null): SandboxFound => ({ kind: 'unusable', found, advice });
  if (process.platform !== 'linux') return none('there is no sandbox for flows on this system', null);
  if (machine['EDGE_AGENT_SANDBOX'] === 'off')
    return none('EDGE_AGENT_SANDBOX=off in the environment of the agent turns it off', 'take it out');
  // Root in a sandbox that leaves the machine as it is remains root.
  if ((account?.uid ?? process.getuid?.()) === 0)
    return none(
      'flows run as root (runs.allow_root), whom no sandbox holds',
      'set runs.user to an account for flows',
    );
  const program = await systemProgram('bwrap', machine);
  if (program === null)
    return none('found no bwrap (bubblewrap) here', 'install bubblewrap (on Debian: apt install bubblewrap)');
  return tryBubblewrap(program, account);
}

/** The folders of tenants: this one's, and those that an earlier agent.yaml named. */
function tenantsIn({ cache, slug }: AgentPlaces): string[] {
  const found = readdirSync(cache, { withFileTypes: true }).filter(
    (entry) =>
      entry.isDirectory() &&
      (entry.name === slug || statSync(join(cache, entry.name, 'current.json'), { throwIfNoEntry: false })),
  );
  return found.map((entry) => join(cache, entry.name));
}

/**
 * Which of the questions have a yes, as that account or this one: `e<path>`, whether it is there; `w<path>`, whether it can be written to.
 * Rejects when it cannot be asked: a sandbox that hides nothing is none.
 */
async function askAs(account: Account | null, questions: readonly string[]): Promise<ReadonlySet<string>> {
  // Answered by their numbers: a name may have a line break.
  const found = await runHelper('/bin/sh', ['-c', ANSWERS, 'sh', ...questions], {
    ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: LOOKUP_TIMEOUT_MS,
  });
  const numbers = found.stdout.split('\n');
  if (found.exitCode !== 0 || numbers.pop() !== 'all')
    throw new Error(
      `expected the account of flows to say what it sees of the agent, found ${found.found ?? `exit code ${found.exitCode}`}`,
    );
  return new Set(numbers.map((number) => questions[Number(number)] as string));
}

const ANSWERS = `
n=0
for asked do
  path=\${asked#?}
  case $asked in e*) [ -e "$path" ];; *) [ -w "$path" ];; esac && echo $n
  n=$((n+1))
done
echo all`;
