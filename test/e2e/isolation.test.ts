import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { AGENT_MAIN } from '../support/agent-program.ts';
import { bundleOf } from '../support/bundles.ts';
import { type FlowAccount, makeFlowAccount } from '../support/flow-account.ts';
import { sandboxMissing } from '../support/sandboxed-flows.ts';
import { createWorld, manifestV1, type World } from '../support/world.ts';

const root = process.getuid?.() === 0;
const linux = process.platform === 'linux';

/** Prints which of the files and folders that are listed for it can be read, and written to. */
const LOOK = bundleOf({
  'main.py': `import json, os
listed = json.load(open(os.environ["LOOK_AT"] + "/listing.json"))
def can(work):
    try: work(); return True
    except OSError: return False
def reads(path): open(path, "rb").read(1)
def plants(path):
    open(path + "/planted", "x").close(); os.unlink(path + "/planted")
at = os.environ["LOOK_AT"] + "/"
files = [path for path in listed["files"] if can(lambda: reads(at + path))]
writable = [path for path in listed["folders"] if can(lambda: plants(at + path))]
open("report", "w").write("made")
os.rename("report", os.environ["EDGE_OUTPUT_DIR"] + "/report")
print(json.dumps(dict(files=files, writable=writable, uid=os.getuid())))
`,
});

/** Beside the agent: the person's, and what everybody may know. */
const PUBLIC = ['README', 'root.jws.json'];

interface Listed {
  readonly files: string[];
  readonly folders: string[];
}

interface Looked {
  readonly files: string[];
  readonly writable: string[];
  readonly uid: number;
}

describe.skipIf(!linux)('an agent keeps flows apart', { timeout: 240_000 }, () => {
  let world: World;
  let account: FlowAccount | null = null;
  let noSandbox: string | null = null;
  beforeAll(async () => {
    noSandbox = await sandboxMissing();
    account = makeFlowAccount();
  });
  afterAll(() => {
    account?.remove();
  });
  beforeEach(async () => {
    world = await createWorld();
    chmodSync(world.folder, 0o711);
    writeFileSync(join(world.folder, 'credentials', 'git-token'), 'PRIVATE', { mode: 0o600 });
    writeFileSync(join(world.folder, 'credentials', 'secrets.yaml'), 'CRM: "PRIVATE-CRM"\n', { mode: 0o600 });
    mkdirSync(join(world.cache, 'globex', 'v1'), { recursive: true });
    writeFileSync(join(world.cache, 'globex', 'current.json'), '{}');
    writeFileSync(join(world.cache, 'globex', 'v1', 'main.py'), 'print(1)');
    await world.release(manifestV1(world, 'look.tar.gz', LOOK));
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const configure = (runs: object) => {
    world.writeConfig({ runs: { env: { LOOK_AT: world.folder }, ...runs } });
    writeFileSync(join(world.folder, 'README'), 'a file of the person, beside the agent');
  };

  it.skipIf(!root)('by starting none as root, and says in the report and the status what to do', async () => {
    configure({});
    expect(await world.reconcile()).toMatchObject({ code: 0, document: { isolation: 'refused' } });
    const { code, document } = await world.json<RunReport>('trigger', 'default', '--wait');
    expect(code).toBe(6);
    expect(document.status).toBe('failed');
    expect(document.reason).toContain('runs.user (an account for flows)');
    expect(document.reason).toContain('runs.allow_root: true');
    expect((await world.json<Status>('status')).document.isolation).toBe('refused');
  });

  it.skipIf(!root)('by starting none as an account that is not there', async () => {
    configure({ user: 'no-such-account' });
    expect(await world.reconcile()).toMatchObject({ code: 0 });
    const { code, document } = await world.json<RunReport>('trigger', 'default', '--wait');
    expect([code, document.status]).toEqual([6, 'failed']);
    expect(document.reason).toBe(
      'runs.user: expected an account of this machine, found no "no-such-account"',
    );
  });

  it.each([
    ['by the account of runs.user alone', 'off', /^user\+(cgroup|process-group)$/],
    ['by the account of runs.user and a sandbox', 'on', /^user\+bubblewrap\+(cgroup|process-group)$/],
  ])('%s', async (_how, sandbox, level) => {
    if (account === null || (sandbox === 'on' && noSandbox !== null)) return skipped(sandbox);
    configure({ user: account.name });
    const { looked, listed, report, status } = await look({ EDGE_AGENT_SANDBOX: sandbox });
    expect(looked.uid).toBe(account.uid);
    const bundle = join('EdgeFlows', 'acme', world.current().flows['default']?.path ?? '');
    // Its bundle; without a sandbox also what lies open beside it, which is nobody's secret.
    const open = sandbox === 'on' ? [] : ['EdgeFlows/acme/current.json', 'agent.yaml'];
    const expected = [...open, ...listed.files.filter((file) => file.startsWith(`${bundle}/`))];
    expect(looked.files.filter((file) => !PUBLIC.includes(file)).sort()).toEqual(expected.sort());
    expect(looked.writable).toEqual([]);
    expect(report.outputs.map(({ name }) => name)).toEqual(['report']);
    expect(status.isolation).toMatch(level);
    // Other tenants are closed to that account, whatever their folders were.
    expect(statSync(join(world.cache, 'globex')).mode & 0o077).toBe(0);
  });

  it('by a sandbox when flows have its own account', async () => {
    if (noSandbox !== null || (root && account === null)) return skipped('on');
    configure({ allow_root: false });
    if (account !== null) execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, world.folder]);
    const { looked, listed, report, status } = await look({}, account);
    const bundle = join('EdgeFlows', 'acme', world.current().flows['default']?.path ?? '');
    const expected = listed.files.filter((file) => file.startsWith(`${bundle}/`));
    expect(looked.files.filter((file) => !PUBLIC.includes(file)).sort()).toEqual(expected.sort());
    // What is the person's own stays theirs to work with.
    expect(looked.writable).toEqual(['.']);
    expect(report.outputs.map(({ name }) => name)).toEqual(['report']);
    expect(status.isolation).toMatch(/^bubblewrap\+(cgroup|process-group)$/);
  });

  async function look(
    environment: Record<string, string>,
    as: FlowAccount | null = null,
  ): Promise<{ looked: Looked; listed: Listed; report: RunReport; status: Status }> {
    const agent = (...args: string[]) =>
      new Promise<string>((resolve, reject) => {
        const drop =
          as === null ? [] : ['setpriv', `--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups', '--'];
        const [file, ...words] = [
          ...drop,
          process.execPath,
          AGENT_MAIN,
          '--config',
          world.config,
          '--output',
          'json',
          ...args,
        ];
        const env = { ...process.env, HOME: world.folder, ...environment };
        execFile(
          file as string,
          words,
          { cwd: world.folder, env, maxBuffer: 16 * 1024 * 1024 },
          (error, stdout, stderr) =>
            error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stdout}\n${stderr}`)),
        );
      });
    await agent('reconcile');
    const listed = listing(world.folder);
    writeFileSync(join(world.folder, 'listing.json'), JSON.stringify(listed));
    const report = JSON.parse(await agent('trigger', 'default', '--wait')) as RunReport;
    expect(report).toMatchObject({ status: 'succeeded', stderr: '' });
    const status = JSON.parse(await agent('status')) as Status;
    return { looked: JSON.parse(report.stdout) as Looked, listed, report, status };
  }
});

function skipped(what: string): void {
  const notes = process.env['EDGE_AGENT_SKIPPED_PARTS'];
  if (notes !== undefined)
    appendFileSync(notes, `an account made by useradd, or bubblewrap (isolation, sandbox ${what})\n`);
}

/** Everything below a folder, relative to it; what comes later is not in it. */
function listing(folder: string): Listed {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const path = (entry: (typeof entries)[number]) => relative(folder, join(entry.parentPath, entry.name));
  return {
    files: entries.filter((entry) => !entry.isDirectory()).map(path),
    folders: ['.', ...entries.filter((entry) => entry.isDirectory()).map(path)],
  };
}
