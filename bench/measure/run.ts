import { spawn } from 'node:child_process';
import { type Peak, watchTree } from './process-tree.ts';
import { parseUsage, type Usage } from './usage.ts';

export interface Ran extends Usage {
  /** From start to end, on a monotonic clock. */
  readonly ms: number;
  readonly peaks: readonly Peak[];
  readonly stdout: string;
}

/** A shell that does the work and then says, without another process, what it and its children used. */
const REPORTING = `
"$@" || exit
read -r stat < "/proc/$$/stat"
mapfile -t io < "/proc/$$/io"
printf '%s\\0%s' "$stat" "$(IFS=$'\\n'; echo "\${io[*]}")" >&3
`;

/** Runs a program to its end; throws when it does not end with 0. */
export function run(command: readonly string[], options: { cwd?: string } = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const shell = spawn('bash', ['-c', REPORTING, 'bash', ...command], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      cwd: options.cwd,
    });
    const watch = watchTree(shell.pid as number);
    const text: Record<'stdout' | 'stderr' | 'usage', string> = { stdout: '', stderr: '', usage: '' };
    shell.stdout?.on('data', (bytes: Buffer) => (text.stdout += bytes.toString('utf8')));
    shell.stderr?.on('data', (bytes: Buffer) => (text.stderr += bytes.toString('utf8')));
    shell.stdio[3]?.on('data', (bytes: Buffer) => (text.usage += bytes.toString('latin1')));
    let ms = 0;
    shell.once('exit', () => {
      ms = performance.now() - started;
    });
    shell.once('error', reject);
    shell.once('close', (code) => {
      const peaks = watch.stop().filter(({ name }) => name !== 'agent');
      if (code !== 0)
        return reject(new Error(`${command.join(' ')} ended with ${code}: ${text.stderr}${text.stdout}`));
      const [stat = '', io = ''] = text.usage.split('\0');
      resolve({ ms, peaks, stdout: text.stdout, ...parseUsage(stat, io) });
    });
  });
}

/** The same for lines of bash. */
export function runShell(script: string, options: { cwd?: string } = {}): Promise<Ran> {
  return run(['bash', '-euo', 'pipefail', '-c', script], options);
}
