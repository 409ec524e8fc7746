import { execFileSync } from 'node:child_process';

export interface FlowAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  remove(): void;
}

let count = 0;

/** An account of this machine made for a test, in no group but its own; null when this process may not make one. */
export function makeFlowAccount(): FlowAccount | null {
  if (process.getuid?.() !== 0) return null;
  const name = `edge-flow-${process.pid}-${count++}`;
  const shell = ['--shell', '/usr/sbin/nologin'];
  try {
    execFileSync('useradd', ['--system', '--no-create-home', ...shell, name], { stdio: 'pipe' });
  } catch {
    return null;
  }
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return {
    name,
    uid: id('-u'),
    gid: id('-g'),
    remove: () => void execFileSync('userdel', [name], { stdio: 'pipe' }),
  };
}
