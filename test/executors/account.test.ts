import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseAccount, refusesRoot } from '../../executors/account.ts';
import { isolationLevel } from '../../executors/isolation.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { alive, type Bench, createBench, MANY_CHILDREN, text } from '../contract/executor.ts';

const root = process.getuid?.() === 0;
const subject = {
  create: createPythonExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};

describe('the account of flows', () => {
  it('is never root unless somebody said so', async () => {
    expect(refusesRoot({ allowRoot: false, user: null }, 0)).toContain('runs.allow_root');
    expect(refusesRoot({ allowRoot: true, user: null }, 0)).toBeNull();
    expect(refusesRoot({ allowRoot: false, user: 'flows' }, 0)).toBeNull();
    expect(refusesRoot({ allowRoot: false, user: null }, 1000)).toBeNull();
    expect(await chooseAccount({ allowRoot: false, user: 'root' }, 0)).toMatchObject({ kind: 'refused' });
  });

  it('can be changed by root only, and must exist', async () => {
    expect(await chooseAccount({ allowRoot: false, user: 'nobody' }, 54_321)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('only an agent that runs as root'),
    });
    expect(await chooseAccount({ allowRoot: false, user: 'no-such-account' }, 0)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('no-such-account'),
    });
  });

  it('is part of the isolation that status reports', () => {
    const flows = { user: 'flows', allowRoot: false };
    expect(isolationLevel(flows, false, 0)).toMatch(/^user\+(cgroup|process-group)$/);
    expect(isolationLevel(flows, true, 0)).toMatch(/^user\+bubblewrap\+(cgroup|process-group)$/);
    expect(isolationLevel(flows, false, 1000)).toMatch(/^(cgroup|process-group)$/);
    expect(isolationLevel({ user: null, allowRoot: false }, true, 1000)).toMatch(/^bubblewrap\+/);
    expect(isolationLevel({ user: null, allowRoot: true }, false, 0)).toMatch(/^(cgroup|process-group)$/);
    expect(isolationLevel({ user: null, allowRoot: false }, false, 0)).toBe('refused');
  });
});

describe.skipIf(!root)('an agent that runs as root', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await createBench(subject);
  });
  afterEach(async () => {
    await bench.dispose();
  });
  const nobody = { allowRoot: false, user: 'nobody' };

  it('starts no flow without an account for it', async () => {
    const handle = await bench.begin('print(1)', {}, { allowRoot: false });
    expect(handle.process).toBeNull();
    expect(await handle.done).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('runs.user'),
    });
  });

  it('runs the flow as runs.user, with its own folders and without reach of the agent’s', async () => {
    await writeFile(join(bench.folder, 'device.jwk'), 'private', { mode: 0o600 });
    const result = await bench.run(
      `import json, os, tempfile
open("made", "w").close(); open(os.environ["HOME"] + "/made", "w").close(); tempfile.TemporaryFile()
open(os.environ["EDGE_OUTPUT_DIR"] + "/report", "w").write("ok")
def reach(path, mode):
    try: open(path, mode).close(); return "yes"
    except PermissionError: return "no"
    except FileNotFoundError: return "absent"
run = os.environ["EDGE_OUTPUT_DIR"] + "/.."
print(json.dumps([os.getuid(), os.getgroups(), json.load(open(os.environ["EDGE_INPUT"])),
  reach(run + "/../../../device.jwk", "r"), reach(run + "/stdout.log", "r"), reach(run + "/new", "w"), reach(__file__, "a")]))`,
      {},
      nobody,
    );
    expect(text(result.stderr)).toBe('');
    const { uid } = await stat(join(bench.runDirectory, 'work', 'made'));
    expect(JSON.parse(text(result.stdout))).toEqual([uid, [], { invoice: 7 }, 'no', 'no', 'no', 'no']);
    expect(uid).not.toBe(0);
    expect(result.outputs.map((file) => file.name)).toEqual(['report']);
    expect((await stat(join(bench.runDirectory, 'work'))).mode & 0o777).toBe(0o700);
  });

  it('lets a flow of another account open /dev/stderr', async () => {
    const result = await bench.run('open("/dev/stderr", "w").write("seen")', {}, nobody);
    expect(text(result.stderr)).toBe('seen');
  });

  it('ends all processes of another account', async () => {
    // The agent's log is out of its reach: a file of its own says when all are there.
    const result = await bench.run(
      `${MANY_CHILDREN.split('while len')[0]}\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)`,
      { timeoutMs: 1_500 },
      { ...nobody, graceMs: 100 },
    );
    const pids = text(result.stdout).split('\n').filter(Boolean).map(Number);
    expect(result.status).toBe('timed_out');
    expect(pids).toHaveLength(50);
    expect(await alive(pids)).toEqual([]);
  });

  it('names the folder that keeps the account from its bundle', async () => {
    await mkdir(join(bench.folder, 'bundle'), { recursive: true });
    await chmod(join(bench.folder, 'bundle'), 0o700);
    const result = await bench.run('print(1)', {}, nobody);
    expect(result).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining(`${bench.folder}/bundle,`),
    });
  });
});
