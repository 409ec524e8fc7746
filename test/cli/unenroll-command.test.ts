import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Unenrolment } from '../../agent/unenrolment.ts';
import { AGENT_MAIN } from '../support/agent-program.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { until } from '../support/daemon.ts';

let world: ConsoleWorld;
beforeAll(async () => {
  world = await createConsoleWorld();
  await world.release([]);
});
afterAll(() => world[Symbol.asyncDispose]());

/** What a person sees who answers the question with `keys`: Python has pseudo-terminals, Node has none. */
async function answering(machine: EnrolledMachine, keys: string): Promise<{ code: number; shown: string }> {
  const script = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], sys.argv[2], '--config', sys.argv[3], 'unenroll'])
shown, typed = b'', False
while True:
    try: part = os.read(terminal, 4096)
    except OSError: break
    if not part: break
    shown += part
    if not typed and b'[y/N]' in shown:
        os.write(terminal, sys.argv[4].encode())
        typed = True
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
  const args = ['-c', script, process.execPath, AGENT_MAIN, machine.config, keys];
  return new Promise((resolve) => {
    execFile('python3', args, { cwd: machine.folder, timeout: 60_000 }, (error, shown) => {
      resolve({ code: error === null ? 0 : Number(error.code), shown });
    });
  });
}

describe('edge-agent unenroll', { timeout: 180_000 }, () => {
  it('says with --dry-run who leaves, what ends, who is told, what changes and what goes, and does none of it', async () => {
    const machine = await world.enrol('careful');
    const daemon = machine.start();
    await until(
      'a daemon',
      async () => (await machine.agent('status')).stdout.includes('edge-agent run, process'),
      60_000,
    );
    const before = await readFile(machine.config, 'utf8');
    const { code, stdout } = await machine.agent('unenroll', '--dry-run');
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe(
      `This machine is agent ${machine.agentId} of acme. Leaving would, and nothing of it was done:`,
    );
    expect(stdout).toMatch(
      new RegExp(`^  end +edge-agent run \\(process ${daemon.process.pid}\\), and its runs$`, 'm'),
    );
    expect(stdout).toMatch(/^ {2}tell +the console/m);
    expect(stdout).toMatch(/^ {2}change +\S+agent\.yaml: agent_id goes out of it$/m);
    expect(stdout).toMatch(/^ {2}remove +.*device\.jwk$/m);
    expect(stdout).toMatch(/^ {2}keep +.*root\.jws\.json$/m);
    expect(stdout).not.toMatch(/keep +\S+agent\.yaml/);
    const would = await machine.json<Unenrolment>('unenroll', '--dry-run');
    expect(would).toMatchObject({ console: 'to_be_told', daemon: { pid: daemon.process.pid, verb: 'run' } });
    expect(would.changed).toEqual([machine.config]);
    expect(await readFile(machine.config, 'utf8')).toBe(before);
    expect(daemon.process.exitCode).toBe(null);

    const declined = await answering(machine, 'n\n');
    expect(declined.shown).toMatch(/end +edge-agent run/);
    expect(declined.shown).toContain('nothing was changed');
    expect(declined.code).toBe(2);
    expect(await readFile(machine.config, 'utf8')).toBe(before);
    await daemon.stop();
  });

  it('leaves with --local without a word that could cost the other machine its place', async () => {
    const machine = await world.enrol('copy');
    const would = await machine.agent('unenroll', '--dry-run', '--local');
    expect(would.stdout).toMatch(/^ {2}tell +nobody: agent \S+ stays the agent on the other machine$/m);
    const { code, stdout, stderr } = await machine.agent('unenroll', '--local', '--yes');
    expect(code).toBe(0);
    expect(stdout).toContain(
      `The console was told nothing: agent ${machine.agentId} stays the agent on the other machine; do not revoke it.`,
    );
    expect(stderr).not.toMatch(/warning: the console|Until it revokes/);
    // the farewell event of a copy waits, and is no loss
    expect(stderr).toMatch(/^note: 1 report of this copy was not delivered/m);
    expect(
      (await world.running.console.admin.agents('acme')).find(({ agent_id }) => agent_id === machine.agentId)
        ?.revoked_at,
    ).toBe(null);

    const status = await machine.agent('status');
    expect(status.stdout).toMatch(/^! Not enrolled {2}this machine is no agent/);
    expect(status.stdout).toMatch(/^Identity +none: .*edge-agent enroll/m);
    expect(status.stdout).toMatch(/^Agent +not running; "edge-agent enroll" comes before/m);
    expect(status.stdout).not.toContain('● Ready');
  });
});
