import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { SpawnChild } from '../../store/archive/unpacker.ts';

/**
 * A child that stops (SIGSTOP) at its first `mkdir`: the unpacker has read the whole archive then, and written nothing. It goes on at
 * `resume`.
 */
export interface StoppedChild {
  readonly spawnChild: SpawnChild;
  /** True while it stands still; only `mkdir` having been done says where. */
  stopped(): boolean;
  resume(): void;
}

/** Puts strace between the parent and the child that `spawnChild` would start. */
export function stopAtFirstDirectory(start: SpawnChild): StoppedChild {
  let tracer: ChildProcess | null = null;
  const child = (): number | null => {
    if (tracer?.pid === undefined) return null;
    try {
      const below = readFileSync(`/proc/${tracer.pid}/task/${tracer.pid}/children`, 'utf8').trim();
      return below === '' ? null : Number(below.split(' ')[0]);
    } catch {
      return null;
    }
  };
  return {
    spawnChild(verb, rights) {
      // Only to learn its command line.
      const model = start(verb, rights);
      model.kill('SIGKILL');
      const trace = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=mkdir,mkdirat:signal=SIGSTOP:when=1'];
      tracer = spawn('strace', [...trace, ...model.spawnargs], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'] },
      });
      return tracer;
    },
    stopped() {
      const pid = child();
      if (pid === null) return false;
      // Every thread, that of the pool which inflates too.
      const states = readdirSync(`/proc/${pid}/task`).map((task) => {
        const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
        return /^State:\s+(\S)/m.exec(status)?.[1] ?? '';
      });
      return states.length > 0 && states.every((state) => state === 'T' || state === 't');
    },
    resume() {
      // Until it is gone: one that comes between the signal and the stop is lost.
      const again = setInterval(() => {
        const pid = child();
        if (pid !== null) process.kill(pid, 'SIGCONT');
        if (tracer?.exitCode !== null || tracer.signalCode !== null) clearInterval(again);
      }, 20).unref();
    },
  };
}
