import { spawn } from 'node:child_process';

/** What opens an address in the person's own browser; null where nobody sits at a desktop, or they have said no. */
export function browserCommand(where: {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly isTerminal: boolean;
}): readonly string[] | null {
  const { platform, env, isTerminal } = where;
  const said = (name: string) => (env[name] ?? '') !== '';
  if (!isTerminal || said('CI') || said('NO_BROWSER') || said('SSH_CONNECTION')) return null;
  if (platform === 'darwin') return ['open'];
  // The first quoted word after `start` is a title.
  if (platform === 'win32') return ['cmd', '/c', 'start', '""'];
  return said('DISPLAY') || said('WAYLAND_DISPLAY') ? ['xdg-open'] : null;
}

/** It goes on by itself; that it cannot be started is no fault, as the address is on the terminal too. */
export function openInBrowser(command: readonly string[], url: string): void {
  const [file, ...args] = command;
  const opened = spawn(file as string, [...args, url], { stdio: 'ignore', detached: true });
  opened.once('error', () => {});
  opened.unref();
}
