import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import { bundleOf } from '../support/bundles.ts';
import { createWorld, flowV2, helloBundle, manifestV1, v2, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a commit on the tenant branch', () => {
  it('becomes an active version, a flow runs from it, and a second reconcile does nothing', async () => {
    const commit = await world.release(manifestV1(world, 'edge_pkg_1.tar.gz', helloBundle('hello')), {
      version: 'v1.0.1',
    });
    const first = await world.reconcile();
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: '' });
    expect(first.document.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    expect(first.document.actions.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      'fetch done',
      'unpack done',
      'prepare done',
      'activate done',
    ]);
    const revision = `tenant/acme@sha1:${commit}`;
    expect(world.current()).toMatchObject({
      format: 1,
      revision,
      seq: { value: 1 },
      flows: { default: { version: 'v1.0.1', path: 'v1.0.1', revision, previous: null, held: null } },
    });
    expect(statSync(world.path('v1.0.1', 'main.py')).mode & 0o222).toBe(0);

    const run = await world.json<RunReport>('trigger', 'default', '--input', '{"n": 7}', '--wait');
    expect(run.code).toBe(0);
    expect(run.document).toMatchObject({
      status: 'succeeded',
      stdout: 'hello v1.0.1\n',
      exit_code: 0,
      trigger: 'local',
      revision,
    });
    expect(run.document.outputs).toMatchObject([{ name: 'out.txt', size: 1 }]);

    const before = world.artifacts.requests.length;
    const second = await world.reconcile();
    expect(second.code).toBe(0);
    expect(second.document.actions).toEqual([]);
    expect(world.artifacts.requests.length).toBe(before);
  });

  it('takes the next release and keeps the previous version', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    await world.reconcile();
    await world.release(manifestV1(world, 'b.tar.gz', helloBundle('two')), { version: 'v2' });
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['default']).toMatchObject({
      version: 'v2',
      previous: { version: 'v1', path: 'v1' },
    });
    const run = await world.json<RunReport>('trigger', 'default', '--wait');
    expect(run.document.stdout).toBe('two v2\n');
  });

  it('runs several flows of a v2 manifest, in order of their dependencies, a bad one apart', async () => {
    const bad = { ...flowV2(world, 'bad', 'v1', helloBundle('bad')), sha256: 'f'.repeat(64) };
    const needsBad = flowV2(world, 'needs-bad', 'v1', helloBundle('x'), { depends_on: ['bad'] });
    const good = flowV2(world, 'good', 'v1', helloBundle('good'), { depends_on: ['login'] });
    await world.release(v2(needsBad, good, bad, flowV2(world, 'login', 'v1', helloBundle('login'))));
    const result = await world.reconcile();
    expect(result.code).toBe(5);
    expect(Object.keys(world.current().flows).toSorted()).toEqual(['good', 'login']);
    expect(world.current().revision).toBeNull();
    expect(world.current().flows['good']?.path).toBe('flows/good/v1');
    const activated = result.document.actions
      .filter(({ step }) => step === 'activate')
      .map(({ flow }) => flow);
    expect(activated).toEqual(['login', 'good']);
    expect(result.document.conditions.map(({ type }) => type)).toEqual(['Ready', 'Reconciling']);
  });

  it('quarantines a digest after three whole downloads, takes the fix at once, and retries on command', async () => {
    const bundle = helloBundle('x');
    await world.release(
      { ...manifestV1(world, 'x.tar.gz', bundle), sha256: 'e'.repeat(64) },
      { version: 'v1' },
    );
    const codes = [];
    for (let attempt = 1; attempt <= 4; attempt += 1) codes.push((await world.reconcile()).code);
    expect(codes).toEqual([5, 5, 4, 4]);
    expect(world.artifacts.requests).toHaveLength(3);
    expect((await world.json('retry', 'default')).code).toBe(5);
    expect(world.artifacts.requests).toHaveLength(4);
    await world.release(manifestV1(world, 'x.tar.gz', bundle), { version: 'v1' });
    expect((await world.reconcile()).code).toBe(0);
  });

  it('fetches one bundle once for two flows and two names', async () => {
    const bundle = helloBundle('shared');
    const url = world.serve('shared.tar.gz', bundle);
    const flow = (id: string, version: string) => ({
      id,
      version,
      edge_url: url,
      sha256: bundle.sha256,
      runtime: 'python',
    });
    await world.release(v2(flow('a', 'v1'), flow('b', 'v1')));
    expect((await world.reconcile()).code).toBe(0);
    await world.release(v2(flow('a', 'v2'), flow('b', 'v1')));
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['a']?.path).toBe('flows/a/v2');
    expect(world.artifacts.requests).toHaveLength(1);
  });

  it('gives the same version name with another digest a folder of its own', async () => {
    const [one, two] = [helloBundle('one'), helloBundle('two')];
    await world.release(v2(flowV2(world, 'a', 'v1', one)));
    await world.reconcile();
    await world.release(v2(flowV2(world, 'a', 'v1', two)));
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['a']).toMatchObject({
      version: `v1+${two.sha256.slice(0, 8)}`,
      sha256: two.sha256,
    });
    expect(existsSync(world.path('flows/a/v1/main.py'))).toBe(true);
  });

  it('names a version after the tag on the commit', async () => {
    const commit = await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')));
    world.repository.tag('v1.0.9', commit);
    world.repository.tag('v1.0.10', commit);
    world.repository.tag('bld/77', commit);
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['default']?.version).toBe('v1.0.10');
  });

  it('repairs a version that was changed on disk, and says so', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('good')), { version: 'v1' });
    await world.reconcile();
    const file = world.path('v1', 'main.py');
    chmodSync(file, 0o644);
    appendFileSync(file, '\nprint("changed")\n');
    const repaired = await world.reconcile();
    expect(repaired.code).toBe(0);
    expect(readFileSync(file, 'utf8')).not.toContain('changed');
    const events = (await world.json<{ reason: string }[]>('events')).document.map(({ reason }) => reason);
    expect(events).toContain('DriftDetected');
    expect(events).toContain('DriftRepaired');
  });
});

describe('what may not be', () => {
  const running = async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('good')), { version: 'v1' });
    expect((await world.reconcile()).code).toBe(0);
  };
  const expectRefused = async (code: number, error: string) => {
    const result = await world.reconcile();
    expect({ code: result.code, error: result.document.error?.code }).toEqual({ code, error });
    expect(world.current().flows['default']?.version).toBe('v1');
    expect(result.stderr).toContain(result.document.error?.message);
    expect((await world.json<RunReport>('trigger', 'default', '--wait')).document.stdout).toBe('good v1\n');
    return result;
  };
  const next = (more: object = {}) => manifestV1(world, 'b.tar.gz', helloBundle('evil'), more);

  it('is a manifest changed after it was signed', async () => {
    await running();
    await world.release(next(), { tamper: (files) => (files['manifest.json'] += ' ') });
    const result = await expectRefused(3, 'manifest_mismatch');
    expect(result.document.conditions).toMatchObject([
      { type: 'Ready', status: 'False' },
      { type: 'Stalled', status: 'True' },
    ]);
  });
  it('is an older release, also after the git cache was deleted', async () => {
    await world.release(next(), { version: 'v0', seq: 5 });
    await world.reconcile();
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('good')), { version: 'v1', seq: 6 });
    await world.reconcile();
    await world.release(next(), { version: 'v0', seq: 5 });
    await expectRefused(3, 'seq_rollback');
    rmSync(join(world.cache, '.agent', 'git'), { recursive: true });
    await expectRefused(3, 'seq_rollback');
  });
  it('is an older release after the whole state was deleted: the credentials remember', async () => {
    await world.release(next(), { version: 'v0', seq: 5 });
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('good')), { version: 'v1', seq: 6 });
    await world.reconcile();
    await world.release(next(), { version: 'v0', seq: 5 });
    rmSync(world.cache, { recursive: true });
    const result = await world.reconcile();
    expect({ code: result.code, error: result.document.error?.code }).toEqual({
      code: 3,
      error: 'seq_rollback',
    });
  });
  it('is a release without its signature', async () => {
    await running();
    await world.release(next(), { unsigned: true });
    await expectRefused(3, 'release_missing');
  });
  it('is a signed document of more than 512 KiB', async () => {
    await running();
    await world.release(next(), { tamper: (files) => (files['release.jws.json'] += ' '.repeat(520 * 1024)) });
    await expectRefused(3, 'document_too_large');
  });
  it('is an entrypoint that is the agent’s own mark', async () => {
    await running();
    await world.release(next({ entrypoint: '.complete' }));
    await expectRefused(4, 'entrypoint_missing');
  });
  it('is a release of another tenant', async () => {
    await running();
    await world.release(next(), { tenant: 'other' });
    await expectRefused(3, 'tenant_mismatch');
  });
  it('is a release that has expired', async () => {
    await running();
    const issued = new Date(Date.now() - 120_000).toISOString();
    await world.release(next(), { issued, expires: new Date(Date.now() - 60_000).toISOString() });
    await expectRefused(3, 'release_expired');
  });
  it('is said of a release seven days before it expires', async () => {
    const soon = new Date(Date.now() + 3 * 86_400_000).toISOString();
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('good')), { version: 'v1', expires: soon });
    const result = await world.reconcile();
    expect(result.code).toBe(0);
    expect(result.document.conditions[0]?.message).toContain(`expires at ${soon}`);
  });
  it('is a bundle from outside the allow-list', async () => {
    await running();
    await world.release({ ...next(), edge_url: `${world.artifacts.origin}/elsewhere/b.tar.gz` });
    await expectRefused(3, 'url_not_allowed');
  });
  it('is a bundle for another architecture', async () => {
    await running();
    await world.release(next({ cpu_arch: process.arch === 'arm64' ? 'x86_64' : 'arm64' }));
    await expectRefused(4, 'arch_mismatch');
  });
  it('is a manifest that is none', async () => {
    await running();
    await world.release('{"edge_url": "https://x.example/a", "sha256": "abc", "runtime": "python"}');
    const result = await expectRefused(4, 'manifest_invalid');
    expect(result.document.error?.message).toContain('manifest.json:1:');
  });
  it('is an agent older than the release asks for', async () => {
    await running();
    await world.release(next(), { minAgent: '99.0.0' });
    await expectRefused(4, 'agent_too_old');
  });
  it('is an entrypoint that is not in the bundle', async () => {
    await running();
    await world.release(next({ entrypoint: 'nowhere.py' }));
    const result = await expectRefused(4, 'entrypoint_missing');
    expect(result.document.error?.message).toContain('nowhere.py');
  });
  it('is an empty list of flows, unless it is asked for', async () => {
    await running();
    await world.release(v2());
    await expectRefused(4, 'empty_not_allowed');
    await world.release({ ...v2(), allow_empty: true });
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows).toEqual({});
  });
  it('is a policy that moves what a commit may not move', async () => {
    await running();
    await world.release(next(), { policy: 'version: 1\ntenant: other\n' });
    const result = await expectRefused(4, 'policy_invalid');
    expect(result.document.error?.message).toContain('agent-policy.yaml:2:1');
  });
  it('is a bundle that escapes', async () => {
    await running();
    const { bundleFrom } = await import('../support/bundles.ts');
    const escape = bundleFrom([{ name: '../escape.py', content: 'x' }]);
    await world.release(manifestV1(world, 'escape.tar.gz', escape));
    await expectRefused(4, 'archive_refused');
    expect(readdirSync(world.path()).toSorted()).toEqual(['current.json', 'v1']);
  });
});

describe('a branch that is not there', () => {
  it('is said in the words of the contract, in French where the machine is', async () => {
    const english = await world.reconcile();
    expect(english.code).toBe(4);
    expect(english.document.error).toMatchObject({
      code: 'branch_missing',
      message: expect.stringContaining('contact support'),
    });
    world.writeConfig({ locale: 'fr' });
    const french = await world.reconcile();
    expect(french.stderr).toContain('Branche inexistante — contactez le support.');
  });
});

describe('another tenant in agent.yaml', () => {
  it('leaves the state of the first one alone', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    await world.reconcile();
    await world.json('trigger', 'default', '--wait');
    const runs = async () => (await world.json<object[]>('runs')).document;
    const results = async () => {
      const { document } = await world.json<{ kind: string; key: string }[]>('retry', '--list');
      return document.filter(({ kind }) => kind === 'notify').map(({ key }) => key);
    };
    const before = { runs: await runs(), results: await results() };
    expect({ runs: before.runs.length, results: before.results.length }).toEqual({ runs: 1, results: 1 });
    world.writeConfig({ tenant: 'other' });
    const other = await world.reconcile();
    expect({ code: other.code, desired: other.document.source.desired_revision }).toEqual({
      code: 4,
      desired: null,
    });
    expect({ runs: await runs(), results: await results() }).toEqual({ runs: [], results: [] });
    world.writeConfig();
    const back = await world.reconcile();
    expect({ code: back.code, actions: back.document.actions }).toEqual({ code: 0, actions: [] });
    expect({ runs: await runs(), results: await results() }).toEqual(before);
  });
});

describe('a policy the statement binds', () => {
  it('fills only what agent.yaml does not write', async () => {
    world.writeConfig({ retention: { keep_versions: 1 } });
    const closed = (new Date().getUTCHours() + 12) % 24;
    const policy = `version: 1\nmaintenance:\n  windows: ['* ${closed} * * *']\nretention:\n  keep_versions: 9\n`;
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1', policy });
    const waiting = await world.reconcile();
    expect({ code: waiting.code, error: waiting.document.error?.code }).toEqual({
      code: 5,
      error: 'outside_window',
    });
    world.writeConfig({ maintenance: { windows: ['* * * * *'] } });
    expect((await world.reconcile()).code).toBe(0);
  });
});

describe('operations by hand', () => {
  it('suspend activation but not runs, and resume it', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    await world.reconcile();
    const suspended = await world.json('suspend', '--by', 'ana', '--why', 'month end');
    expect(suspended.document['suspended']).toEqual({ by: 'ana', why: 'month end', until: null });
    await world.release(manifestV1(world, 'b.tar.gz', helloBundle('two')), { version: 'v2' });
    const waiting = await world.reconcile();
    expect({ code: waiting.code, error: waiting.document.error?.code }).toEqual({
      code: 5,
      error: 'suspended',
    });
    expect(existsSync(world.path('v2', 'main.py'))).toBe(true);
    expect((await world.json<RunReport>('trigger', 'default', '--wait')).document.stdout).toBe('one v1\n');
    await world.json('resume');
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['default']?.version).toBe('v2');
  });

  it('roll back to the previous version and hold it until something newer', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    await world.reconcile();
    expect((await world.json('rollback', 'default')).code).toBe(4);
    await world.release(manifestV1(world, 'b.tar.gz', helloBundle('two')), { version: 'v2' });
    await world.reconcile();
    await world.json('rollback', 'default', '--by', 'ana', '--why', 'wrong totals');
    expect(world.current().flows['default']).toMatchObject({
      version: 'v1',
      held: { by: 'ana', why: 'wrong totals' },
    });
    expect((await world.json<RunReport>('trigger', 'default', '--wait')).document.stdout).toBe('one v1\n');
    expect((await world.reconcile()).code).toBe(0);
    expect(world.current().flows['default']?.version).toBe('v1');
    expect((await world.json('rollback', 'default')).code).toBe(4);
    expect(world.current().flows['default']?.version).toBe('v1');
    await world.release(manifestV1(world, 'c.tar.gz', helloBundle('three')), { version: 'v3' });
    await world.reconcile();
    expect(world.current().flows['default']).toMatchObject({ version: 'v3', held: null });
  });

  it('say what a reconcile would do and do nothing', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
    const diff = await world.json<{ changes: object[] }>('diff');
    expect(diff.code).toBe(10);
    expect(diff.document.changes).toMatchObject([
      { flow: 'default', change: 'activate', from: null, to: 'v1' },
    ]);
    expect((await world.reconcile('--dry-run')).code).toBe(10);
    expect(existsSync(world.path('current.json'))).toBe(false);
    await world.reconcile();
    expect((await world.json('diff')).code).toBe(0);
  });

  it('collect what retention lets go, and verify the rest', async () => {
    world.writeConfig({ retention: { keep_versions: 2 } });
    for (const version of ['v1', 'v2', 'v3', 'v4']) {
      await world.release(manifestV1(world, `${version}.tar.gz`, helloBundle(version)), { version });
      expect((await world.reconcile()).code).toBe(0);
    }
    expect(readdirSync(world.path()).toSorted()).toEqual(['current.json', 'v3', 'v4']);
    const verified = await world.json<{ ok: boolean; versions: object[] }>('verify');
    expect(verified.code).toBe(0);
    expect(verified.document).toMatchObject({
      ok: true,
      events: { state: 'intact' },
      release: { state: 'verified' },
    });
    expect((await world.json('gc', '--dry-run')).code).toBe(0);
    expect((await world.json('gc')).code).toBe(0);
  });

  it('verify what is applied while the bundle of a newer release is withheld', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    expect((await world.reconcile()).code).toBe(0);
    const bundle = helloBundle('b');
    const edge_url = world.serve('b.tar.gz', bundle).replace('b.tar.gz', 'withheld.tar.gz');
    await world.release({ edge_url, sha256: bundle.sha256, runtime: 'python' }, { version: 'v2' });
    expect((await world.reconcile()).code).toBe(5);
    const { code, document } = await world.json<{ ok: boolean; release: { message: string } }>('verify');
    expect(document.release).toEqual({
      state: 'verified',
      message: 'seq 1; a newer release is believed and not applied in full yet',
    });
    expect(code).toBe(0);
  });

  it('show a failing run with its output, and exit 6', async () => {
    const failing = bundleOf({ 'main.py': 'import sys\nprint("before")\nsys.exit("no such customer")\n' });
    await world.release(manifestV1(world, 'f.tar.gz', failing), { version: 'v1' });
    await world.reconcile();
    const run = await world.json<RunReport>('trigger', 'default', '--wait');
    expect(run.code).toBe(6);
    expect(run.document).toMatchObject({
      status: 'failed',
      exit_code: 1,
      stdout: 'before\n',
      stderr: 'no such customer\n',
    });
    const runs = await world.json<object[]>('runs');
    expect(runs.document).toMatchObject([{ flow: 'default', state: 'failed' }]);
    const logs = await world.agent('logs', run.document.run_id);
    expect(logs).toMatchObject({ code: 0, stdout: 'before\n', stderr: 'no such customer\n' });
  });

  it('refuse wrong use with exit 2 and one document', async () => {
    expect((await world.json('trigger')).code).toBe(2);
    expect((await world.json('frobnicate')).document).toMatchObject({ error: { code: 'usage' } });
    world.writeConfig({ source: { url: world.git.url('builder'), intervall: '5m' } });
    const wrong = await world.json<{ error: { code: string; message: string } }>('status');
    expect(wrong.code).toBe(2);
    expect(wrong.document.error.code).toBe('config_invalid');
    expect(wrong.document.error.message).toMatch(
      /agent\.yaml:\d+:\d+: unknown key "intervall".*did you mean "interval"\?/,
    );
  });
});

describe('flows of another account', () => {
  it.runIf(process.getuid?.() === 0)(
    'run as that account, out of reach of the agent’s credentials',
    async () => {
      const { mkdtempSync, chmodSync: open, writeFileSync } = await import('node:fs');
      // the account must be able to pass through to the cache
      open(world.folder, 0o755);
      const cache = mkdtempSync('/var/tmp/edge-user-');
      open(cache, 0o755);
      try {
        writeFileSync(
          join(world.folder, 'credentials', 'secrets.yaml'),
          'CRM_PASSWORD: "hunter2-hunter2"\n',
          { mode: 0o600 },
        );
        const bundle = bundleOf({
          'main.py': `import os
print(os.getuid() != 0, os.environ["CRM_PASSWORD"])
try:
    open(${JSON.stringify(join(world.folder, 'credentials', 'secrets.yaml'))}).read()
    print("read")
except (PermissionError, FileNotFoundError):
    # its rights where there is no sandbox, and not there at all inside of one
    print("refused")
`,
        });
        world.writeConfig({ edge_cache_dir: cache, runs: { user: 'nobody', grace: '1s' } });
        await world.release(v2(flowV2(world, 'a', 'v1', bundle, { secrets: ['CRM_PASSWORD'] })));
        expect((await world.reconcile()).code).toBe(0);
        const run = await world.json<RunReport>('trigger', 'a', '--wait');
        expect(run.document).toMatchObject({ status: 'succeeded', stdout: 'True [redacted]\nrefused\n' });
      } finally {
        rmSync(cache, { recursive: true, force: true });
      }
    },
  );

  it.runIf(process.getuid?.() === 0)('never are root’s unless agent.yaml says so', async () => {
    world.writeConfig({ runs: { allow_root: false } });
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    expect((await world.reconcile()).code).toBe(0);
    const run = await world.json<RunReport>('trigger', 'default', '--wait');
    expect(run.code).toBe(6);
    expect(run.document.reason).toContain('allow_root');
  });
});
