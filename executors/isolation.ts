import type { RunSettings } from '../reconciler/ports.ts';
import { chooseAccount, refusesRoot } from './account.ts';
import { ownCgroup } from './cgroup.ts';
import type { FlowSandbox } from './flow-sandbox.ts';

export type AccountSettings = Pick<RunSettings, 'user' | 'allowRoot'>;

/**
 * For `status.isolation`: how far a flow is kept apart on this machine. `user` when flows run as an account that cannot read the
 * agent's credentials, `bubblewrap` when they run in a sandbox that does not show them, then what holds their processes together:
 * `cgroup` (nothing leaves it), `process-group` (ended by sweeping) or `taskkill` (Windows). Joined by `+`. `refused`: no flow
 * is started, as the agent is root and nobody said whose flows are.
 */
export function isolationLevel(
  settings: AccountSettings,
  sandboxed: boolean,
  uid = process.getuid?.(),
): string {
  if (process.platform === 'win32') return 'taskkill';
  if (refusesRoot(settings, uid) !== null) return 'refused';
  return [
    ...(settings.user !== null && settings.user !== 'root' && uid === 0 ? ['user'] : []),
    ...(sandboxed ? ['bubblewrap'] : []),
    ownCgroup() === null ? 'process-group' : 'cgroup',
  ].join('+');
}

/** Whether flows get a sandbox with these settings. */
export async function isSandboxed(sandbox: FlowSandbox, settings: AccountSettings): Promise<boolean> {
  const choice = await chooseAccount(settings);
  return choice.kind === 'chosen' && (await sandbox.find(choice.account)).kind === 'works';
}
