import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Root, or an administrator of Windows. */
  readonly privileged: boolean;
}

/**
 * `log.dir: platform` of agent.yaml. Linux: /var/log/edge-agent for root, else $XDG_STATE_HOME/edge-agent/log (XDG Base
 * Directory Specification). macOS: ~/Library/Logs/EdgeAgent. Windows: %PROGRAMDATA%\EdgeAgent\logs for administrators and
 * services, else %LOCALAPPDATA%\EdgeAgent\logs.
 */
export function platformLogDir(machine: Machine = thisMachine()): string {
  const { platform, env, home, privileged } = machine;
  if (platform === 'win32') {
    const base = privileged
      ? (env.PROGRAMDATA ?? 'C:\\ProgramData')
      : (env.LOCALAPPDATA ?? path.win32.join(home, 'AppData', 'Local'));
    return path.win32.join(base, 'EdgeAgent', 'logs');
  }
  if (platform === 'darwin') return path.posix.join(home, 'Library', 'Logs', 'EdgeAgent');
  if (privileged) return '/var/log/edge-agent';
  const state = env.XDG_STATE_HOME;
  // The specification says that a relative one is to be ignored.
  const base =
    state !== undefined && path.posix.isAbsolute(state) ? state : path.posix.join(home, '.local', 'state');
  return path.posix.join(base, 'edge-agent', 'log');
}

function thisMachine(): Machine {
  const env = process.env;
  const privileged = process.platform === 'win32' ? isAdministrator(env) : process.getuid?.() === 0;
  return { platform: process.platform, env, home: os.homedir(), privileged };
}

/** Only administrators and the system account may list the folder of the registry's hives. */
function isAdministrator(env: NodeJS.ProcessEnv): boolean {
  try {
    fs.readdirSync(path.win32.join(env.SystemRoot ?? 'C:\\Windows', 'System32', 'config'));
    return true;
  } catch {
    return false;
  }
}
