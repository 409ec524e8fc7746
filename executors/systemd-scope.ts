import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownCgroup } from './cgroup.ts';
import { runHelper, systemProgram } from './system-program.ts';

const CALL_TIMEOUT_MS = 10_000;
const MOVED_TIMEOUT_MS = 3_000;
const POLL_MS = 50;
const MANAGER = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];

/**
 * Has systemd put this process into a scope of its own that is handed to it (`Delegate=yes`): what `systemd-run --scope` does for a
 * command, done for an agent that runs already, such as one that a person started at a terminal, whose group is the session's. The
 * person's systemd for ordinary accounts, the machine's for root. True when this process is in a group that it may divide.
 * Source: org.freedesktop.systemd1(5), StartTransientUnit.
 */
export async function enterScope(machine: NodeJS.ProcessEnv): Promise<boolean> {
  // sd_booted(3)
  if (process.platform !== 'linux' || !existsSync('/run/systemd/system')) return false;
  const program = await systemProgram('busctl', machine);
  if (program === null) return false;
  const before = ownCgroup();
  const named = Object.fromEntries(
    ['XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'].flatMap((name) =>
      machine[name] === undefined ? [] : [[name, machine[name]]],
    ),
  );
  const properties = ['PIDs', 'au', '1', String(process.pid), 'Delegate', 'b', 'true'];
  const called = await runHelper(
    program,
    [
      process.getuid?.() === 0 ? '--system' : '--user',
      'call',
      ...MANAGER,
      'StartTransientUnit',
      'ssa(sv)a(sa(sv))',
      `edge-agent-${process.pid}.scope`,
      'fail',
      '2',
      ...properties,
      '0',
    ],
    { timeoutMs: CALL_TIMEOUT_MS, env: { PATH: '/usr/bin:/bin', ...named } },
  );
  if (called.exitCode !== 0) return false;
  // It answers when it has begun, not when it is done.
  for (const until = performance.now() + MOVED_TIMEOUT_MS; performance.now() < until; ) {
    const now = ownCgroup();
    if (now !== null && now !== before) return true;
    await sleep(POLL_MS);
  }
  return false;
}
