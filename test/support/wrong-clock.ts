import { spawnSync } from 'node:child_process';

/** The library of faketime, whose shared memory this does not use; null where it is not installed. */
const library = (): string | null => {
  const { status, stdout } = spawnSync('faketime', ['-m', '-f', '+0s', 'printenv', 'LD_PRELOAD'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : null;
};

export const WRONG_CLOCK = library();

/**
 * Starts what `work` starts with a clock that is off by so many seconds; what runs already keeps its own. The times of files and the
 * monotonic clock stay right, as on a machine whose clock was set wrong.
 */
export function withClockOff<T>(seconds: number, work: () => T): T {
  const names = {
    LD_PRELOAD: WRONG_CLOCK ?? '',
    FAKETIME: `${seconds < 0 ? '' : '+'}${seconds}s`,
    NO_FAKE_STAT: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const before = Object.fromEntries(Object.keys(names).map((name) => [name, process.env[name]]));
  Object.assign(process.env, names);
  try {
    // processes take their environment when they are started, which is before anything is waited for
    return work();
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
