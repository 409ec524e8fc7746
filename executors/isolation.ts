import type { RunSettings } from '../reconciler/ports.ts';
import { ownCgroup } from './cgroup.ts';

/**
 * For `status.isolation`: how far a flow is kept apart on this machine. `user` when flows run as an account that cannot
 * read the agent's credentials, then what holds their processes together: `cgroup` (nothing leaves it), `process-group`
 * (ended by sweeping) or `taskkill` (Windows). Joined by `+`.
 */
export function isolationLevel(settings: Pick<RunSettings, 'user'>, uid = process.getuid?.()): string {
  if (process.platform === 'win32') return 'taskkill';
  const tree = ownCgroup() === null ? 'process-group' : 'cgroup';
  return settings.user !== null && settings.user !== 'root' && uid === 0 ? `user+${tree}` : tree;
}
