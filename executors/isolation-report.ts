import { type AccountChoice, chooseAccount } from './account.ts';
import { createCgroup, ownCgroup } from './cgroup.ts';
import { createLimitGroup } from './cgroup-limits.ts';
import { createFlowSandbox, type FlowSandbox } from './flow-sandbox.ts';
import { type AccountSettings, isolationLevel } from './isolation.ts';
import { machineLimits } from './run-limits.ts';
import { systemProgram } from './system-program.ts';

export interface IsolationLayer {
  readonly name: 'account' | 'sandbox' | 'privileges' | 'processes' | 'limits';
  readonly reached: boolean;
  /** One sentence: what flows are held by here, or what was found in its place. */
  readonly found: string;
  /** What to do to get it; null when it is reached, or cannot be had on this system. */
  readonly advice: string | null;
}

export interface IsolationReport {
  /** As `status.isolation` says it. */
  readonly level: string;
  readonly layers: readonly IsolationLayer[];
}

/**
 * Which of the layers around flows this machine has for them, and why not the others. Each is tried and nothing is left behind; it
 * takes some tens of milliseconds. For `doctor`.
 */
export async function isolationReport(
  settings: AccountSettings,
  machine: NodeJS.ProcessEnv = process.env,
  sandbox: Pick<FlowSandbox, 'find'> = createFlowSandbox(machine),
): Promise<IsolationReport> {
  const choice = await chooseAccount(settings);
  const account = choice.kind === 'chosen' ? choice.account : null;
  const found = await sandbox.find(account);
  const sandboxed = choice.kind === 'chosen' && found.kind === 'works';
  const root = (account?.uid ?? process.getuid?.()) === 0;
  return {
    level: isolationLevel(settings, sandboxed),
    layers: [
      accountLayer(choice),
      found.kind === 'works'
        ? reached(
            'sandbox',
            'flows see neither the state and the credentials of the agent nor other processes',
          )
        : missing('sandbox', found.found, found.advice),
      await privilegesLayer(sandboxed, root, machine),
      processesLayer(),
      await limitsLayer(machine),
    ],
  };
}

function accountLayer(choice: AccountChoice): IsolationLayer {
  if (choice.kind === 'refused') return missing('account', choice.reason, 'set runs.user in agent.yaml');
  if (choice.account !== null && choice.account.uid !== 0)
    return reached('account', `flows run as ${choice.account.name} (uid ${choice.account.uid})`);
  return process.getuid?.() === 0
    ? missing('account', 'flows run as root (runs.allow_root): nothing keeps them from anything', SET_USER)
    : missing(
        'account',
        'flows run as the account of the agent',
        process.platform === 'win32'
          ? null
          : 'run the agent as root (a system service), and set runs.user to an account for flows',
      );
}

const SET_USER = 'set runs.user to an account for flows';

async function privilegesLayer(
  sandboxed: boolean,
  root: boolean,
  machine: NodeJS.ProcessEnv,
): Promise<IsolationLayer> {
  if (process.platform !== 'linux') return missing('privileges', 'this system has no such promise', null);
  if (root) return missing('privileges', 'flows run as root and keep all its rights', SET_USER);
  return sandboxed || (await systemProgram('setpriv', machine)) !== null
    ? reached('privileges', 'no program gives a flow more rights than its account has (no_new_privs)')
    : missing(
        'privileges',
        'setuid programs such as sudo give flows what they give the account: found no setpriv',
        'install util-linux',
      );
}

function processesLayer(): IsolationLayer {
  if (ownCgroup() !== null)
    return reached('processes', 'all processes of a run end with it, by a cgroup of its own');
  return missing(
    'processes',
    'processes of a run are looked for to end them: one that leaves its session, wipes its environment and loses its parent is not found outside of a sandbox',
    process.platform === 'linux' ? DELEGATE : null,
  );
}

const DELEGATE =
  'run the agent as a service with Delegate=yes, or by systemd-run --user --scope -p Delegate=yes edge-agent run';

async function limitsLayer(machine: NodeJS.ProcessEnv): Promise<IsolationLayer> {
  if (process.platform !== 'linux')
    return missing('limits', 'a run may take all processes and all memory of the machine', null);
  if (await countsTogether())
    return reached('limits', 'processes and memory of a run are limited together, by its cgroup');
  return (await systemProgram('prlimit', machine)) === null
    ? missing('limits', 'a run may take all memory of the machine: found no prlimit', 'install util-linux')
    : missing(
        'limits',
        'memory is limited for each process of a run, not for all of them together',
        DELEGATE,
      );
}

/** Tried with a group that holds nothing. */
async function countsTogether(): Promise<boolean> {
  const name = `isolation-report-${process.pid}`;
  const own = ownCgroup();
  const group = own === null ? null : await createCgroup(own, name, machineLimits());
  await group?.remove();
  if (group?.limited === true) return true;
  const older = await createLimitGroup(`edge-run-${name}`, machineLimits());
  await older?.remove();
  return older !== null;
}

function reached(name: IsolationLayer['name'], found: string): IsolationLayer {
  return { name, reached: true, found, advice: null };
}

function missing(name: IsolationLayer['name'], found: string, advice: string | null): IsolationLayer {
  return { name, reached: false, found, advice };
}
