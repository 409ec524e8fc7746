import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ownCgroup } from '../../executors/cgroup.ts';
import { enterScope } from '../../executors/systemd-scope.ts';
import { makeFlowAccount } from '../support/flow-account.ts';

const AGENT = fileURLToPath(new URL('../support/scope-agent.ts', import.meta.url));
const SYSTEMD = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].find((path) => existsSync(path));

/**
 * A person's systemd, and an agent in the group of a session beside it, both below a group of the account: where a login puts them.
 * `/run/systemd` is covered in a mount namespace of its own, so that it believes the machine was booted by systemd. The group is
 * ended whole by whoever made it.
 */
const LOGIN = `
mount --make-rprivate /
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/systemd/system || exit 8
as() { exec setpriv --reuid="$ID" --regid="$ID" --clear-groups env XDG_RUNTIME_DIR="$RUNTIME" HOME="$RUNTIME" "$@"; }
(echo 0 > "$GROUP/manager/cgroup.procs"; as "$SYSTEMD" --user) > /dev/null 2>&1 &
for try in $(seq 100); do [ -S "$RUNTIME/bus" ] && break; sleep 0.1; done
(echo 0 > "$GROUP/session/cgroup.procs"; as "$NODE" "$AGENT")
`;

it('gets a group that it may divide from the systemd of the person who started it', async (test) => {
  const account = makeFlowAccount();
  const mount = ownCgroup();
  if (account === null || SYSTEMD === undefined || mount === null || !existsSync('/usr/bin/busctl')) {
    account?.remove();
    const notes = process.env['EDGE_AGENT_SKIPPED_PARTS'];
    if (notes !== undefined)
      appendFileSync(notes, 'root with systemd, busctl and a cgroup (scopes of systemd)\n');
    return test.skip('root, systemd, busctl and a cgroup of its own');
  }
  const runtime = mkdtempSync(join(tmpdir(), 'login-'));
  chmodSync(runtime, 0o700);
  chownSync(runtime, account.uid, account.gid);
  const group = join(mount, `edge-login-${process.pid}`);
  for (const name of ['', 'manager', 'session']) {
    mkdirSync(join(group, name));
    // The session's group is not the person's: there is nothing to divide.
    if (name === 'session') continue;
    for (const file of ['', 'cgroup.procs', 'cgroup.subtree_control'])
      chownSync(join(group, name, file), account.uid, account.gid);
  }
  try {
    const said = await new Promise<string>((resolve, reject) => {
      const env = {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        ID: String(account.uid),
        RUNTIME: runtime,
        GROUP: group,
        SYSTEMD,
        NODE: process.execPath,
        AGENT,
      };
      execFile(
        'unshare',
        ['-m', '/bin/sh', '-c', LOGIN],
        { env, cwd: '/', timeout: 50_000 },
        (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
      );
    });
    const found = JSON.parse(said) as { pid: number; before: string; after: string };
    expect(found).toMatchObject({ usable: false, entered: true, group: true });
    expect(found.before).toMatch(/\/session$/);
    expect(found.after).toMatch(new RegExp(`/app\\.slice/edge-agent-${found.pid}\\.scope(?:/edge-agent)?$`));
  } finally {
    writeFileSync(join(group, 'cgroup.kill'), '1');
    await expect.poll(() => removed(group)).toBe(true);
    rmSync(runtime, { recursive: true, force: true });
    account.remove();
  }
});

it('is not asked of a machine that systemd did not boot', async () => {
  // Where it did, the agent of a test must not be moved out of its group.
  if (existsSync('/run/systemd/system')) return;
  expect(await enterScope(process.env)).toBe(false);
});

function removed(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory() && !removed(join(folder, entry.name))) return false;
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
