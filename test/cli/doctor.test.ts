import { chmod, cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DoctorReport } from '../../schemas/doctor.ts';
import { makeCertificate } from '../support/certificate.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { helloBundle } from '../support/world.ts';

let world: ConsoleWorld;
let machine: EnrolledMachine;
beforeAll(async () => {
  world = await createConsoleWorld();
  const bundle = helloBundle('hello');
  const edge_url = await world.upload('hello.tar.gz', bundle);
  const flow = { id: 'hello', version: 'v1.0.0', edge_url, sha256: bundle.sha256, runtime: 'python' };
  await world.release([{ ...flow, entrypoint: 'main.py' }]);
  machine = await world.enrol('one');
  const { code, stderr } = await machine.agent('reconcile');
  if (code !== 0) throw new Error(stderr);
});
afterAll(() => world[Symbol.asyncDispose]());

async function examined(at: EnrolledMachine = machine) {
  const { code, stdout, stderr } = await at.agent('--output', 'json', 'doctor');
  const report = DoctorReport.parse(JSON.parse(stdout));
  const of = (name: string) => report.checks.find((check) => check.name === name);
  const failing = report.checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
  return { code, stdout, stderr, report, of, failing };
}

/** A copy of the machine to break. */
async function broken(name: string): Promise<EnrolledMachine> {
  const other = await world.enrol(name);
  await rm(other.cache, { recursive: true, force: true });
  await cp(machine.cache, other.cache, { recursive: true, preserveTimestamps: true });
  await chmod(join(other.cache, '.agent'), 0o700);
  return other;
}

/** Names, sizes, modes and times of all there is. */
async function tree(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const lines = await Promise.all(
    names.map(async (name) => {
      const { size, mode, mtimeMs } = await stat(join(folder, name));
      // SQLite's shared memory is there while anybody reads
      return /-(shm|wal)$/.test(name) || name.endsWith('.agent')
        ? name
        : `${name} ${size} ${mode} ${mtimeMs}`;
    }),
  );
  return lines.filter((line) => !/-(shm|wal)$/.test(line)).toSorted();
}

describe('doctor', { timeout: 180_000 }, () => {
  it('finds nothing that fails on a machine that is well, changes nothing and tells no secret', async () => {
    const before = await tree(machine.folder);
    const { code, stdout, failing, report, of } = await examined();
    expect(failing).toEqual([]);
    expect(code).toBe(0);
    expect(await tree(machine.folder)).toEqual(before);
    expect(report.exit_code).toBe(0);
    expect(report.daemon).toBeNull();
    const looked = [
      'configuration.file',
      'configuration.enrolment',
      'credentials.device_key',
      'trust.root',
      'trust.memory',
      'trust.release',
      'state.database',
      'state.pointer',
      'state.directory_fsync',
      'state.modes',
      'state.lock_works',
      'network.console.call',
      'network.source.call',
      'network.tunnel.session',
      'clock.offset.console',
      'flows.python',
      'flows.isolation',
      'agent.permission_model',
      'agent.reports',
    ];
    expect(looked.filter((name) => of(name) === undefined)).toEqual([]);
    const credentials = join(machine.folder, 'credentials');
    const { d } = JSON.parse(await readFile(join(credentials, 'device.jwk'), 'utf8')) as { d: string };
    const token = (await readFile(join(credentials, 'git-token'), 'utf8')).trim();
    for (const secret of [d, token, token.split(':').at(-1) as string]) expect(stdout).not.toContain(secret);
  });

  it('says it in lines for people, in French where the machine speaks it', async () => {
    const { code, stdout } = await machine.agent('doctor');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}✔ device_key +\S{43} in file: /m);
    expect(stdout).toContain('Nothing is in the way.');
    process.env['LC_ALL'] = 'fr_FR.UTF-8';
    try {
      const french = await machine.agent('doctor');
      expect(french.stdout).toContain('Rien ne bloque.');
      expect(french.stdout).toContain('\nRéseau\n');
    } finally {
      process.env['LC_ALL'] = 'C.UTF-8';
    }
  });

  it('says of NODE_EXTRA_CA_CERTS that Node takes none of it, and why', async () => {
    const before = process.env['NODE_EXTRA_CA_CERTS'];
    using made = makeCertificate();
    const certificate = made.cert;
    const place = (name: string) => join(world.folder, name);
    await writeFile(place('good.pem'), certificate);
    await writeFile(place('cut.pem'), certificate.slice(0, certificate.length / 2));
    await writeFile(place('none.pem'), 'no certificate\n');
    const said = async (name: string) => {
      process.env['NODE_EXTRA_CA_CERTS'] = place(name);
      return (await examined()).of('agent.environment');
    };
    try {
      const good = await said('good.pem');
      expect(good).toMatchObject({ status: 'ok', fix: null });
      expect(good?.found).toContain(`NODE_EXTRA_CA_CERTS=${place('good.pem')}`);
      for (const [name, why] of [
        ['cut.pem', 'a certificate in it cannot be read'],
        ['none.pem', 'there is no certificate in it'],
        ['away.pem', 'ENOENT'],
      ] as const) {
        const found = await said(name);
        expect(found).toMatchObject({ status: 'warn' });
        expect(found?.found).toContain(`NODE_EXTRA_CA_CERTS=${place(name)}`);
        expect(found?.found).toContain(why);
        expect(found?.fix).toContain('network.ca_file');
      }
    } finally {
      if (before === undefined) delete process.env['NODE_EXTRA_CA_CERTS'];
      else process.env['NODE_EXTRA_CA_CERTS'] = before;
    }
  });

  it('asks the daemon where there is one, and leaves its tunnel alone', async () => {
    const daemon = machine.start();
    const session = async () =>
      (await machine.json<{ tunnel: { state: string; since: string } }>('status')).tunnel;
    await expect.poll(async () => (await session()).state, { timeout: 50_000 }).toBe('connected');
    const before = await session();
    const { code, report, of, failing } = await examined();
    expect(failing).toEqual([]);
    expect(code).toBe(0);
    expect(report.daemon).toMatchObject({ verb: 'run' });
    expect(of('agent.running')).toMatchObject({ status: 'ok' });
    expect(of('network.tunnel.session')?.found).toMatch(/^connected, says the agent/);
    expect(await session()).toEqual(before);

    const text = await readFile(machine.config, 'utf8');
    await writeFile(machine.config, `${text}retentoin: {}\n`);
    try {
      const wrong = await examined();
      expect(wrong.code).toBe(2);
      expect(wrong.failing).toEqual(['configuration.file']);
      expect(wrong.of('configuration.file')?.found).toMatch(
        /agent\.yaml:\d+:1: .*retentoin[\s\S]*; process \d+ works on with the last good one$/,
      );
    } finally {
      await writeFile(machine.config, text);
    }
    await daemon.stop();
  });

  it('names credentials that others may read, and a key that is gone', async () => {
    const other = await broken('careless');
    const credentials = join(other.folder, 'credentials');
    await chmod(credentials, 0o755);
    await chmod(join(credentials, 'git-token'), 0o644);
    const open = await examined(other);
    expect(open.code).toBe(4);
    expect(open.failing).toEqual(['credentials.files']);
    expect(open.of('credentials.folder')).toMatchObject({ status: 'warn', fix: `chmod 700 ${credentials}` });
    expect(open.of('credentials.files')?.found).toBe('git-token has mode 0644');
    // it only looks
    expect((await stat(join(credentials, 'git-token'))).mode & 0o777).toBe(0o644);

    await rm(credentials, { recursive: true });
    const gone = await examined(other);
    expect(gone.code).toBe(2);
    expect(gone.failing).toEqual(
      expect.arrayContaining([
        'configuration.machine',
        'credentials.folder',
        'credentials.device_key',
        'trust.root',
      ]),
    );
  });

  it('tells each fact in words that need no question before them', async () => {
    const { report } = await examined();
    const vague = report.checks.filter(({ found }) =>
      /^(it|they|this Node) (does|do|can|are|has it)\b|^all there/.test(found),
    );
    expect(vague).toEqual([]);
    const found = (name: string) => report.checks.find((check) => check.name === name)?.found;
    expect(found('network.console.call')).toBe(`lets in agent ${machine.agentId}, and has tenant/acme`);
  });

  it('finds out that the agent was revoked, by whom and why, and gives no advice that cannot help', async () => {
    const other = await world.enrol('dismissed');
    await world.running.console.admin.revokeAgent(other.agentId, { by: 'ann', why: 'left the company' });
    const { code, of, stdout } = await examined(other);
    expect(code).toBe(4);
    expect(of('network.console.call')).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('edge-agent enroll') as string,
    });
    expect(of('network.console.call')?.found).toMatch(/left the company.*\(agent_revoked\)$/);
    expect(of('network.source.call')).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('network.console.call') as string,
    });
    expect(stdout).not.toContain('put a valid token');
  });

  it('says what it has not looked at when agent.yaml is wrong, and the long list of what is wrong once', async () => {
    const other = await world.enrol('mistyped');
    const text = await readFile(other.config, 'utf8');
    await writeFile(other.config, text.replace('tenant:', 'tenent:'));
    const { code, of, report } = await examined(other);
    expect(code).toBe(2);
    expect(of('configuration.file')?.found).toContain('tenent');
    for (const group of ['credentials', 'trust', 'state', 'network', 'flows'])
      expect(of(`${group}.unseen`)).toMatchObject({
        status: 'warn',
        found: 'not looked at: needs agent.yaml',
      });
    expect(of('clock.offset')?.found).toBe('no server was asked: that needs agent.yaml');
    expect(report.checks.some(({ found }) => found.includes('no server has answered'))).toBe(false);
    const { stdout } = await other.agent('doctor');
    const last =
      (of('configuration.file')?.found ?? '')
        .trim()
        .split('\n')
        .at(-1)
        ?.trim()
        .split(' ')
        .slice(-4)
        .join(' ') ?? '';
    expect(last.length).toBeGreaterThan(10);
    expect(stdout.replaceAll(/\s+/g, ' ').split(last)).toHaveLength(2);
  });

  it('finds a database that is damaged, a version that is not whole and a seq that differs', async () => {
    const other = await broken('damaged');
    const current = join(other.cache, 'acme', 'current.json');
    const pointer = JSON.parse(await readFile(current, 'utf8')) as {
      flows: { hello: { path: string } };
      seq: { value: number };
    };
    const version = join(other.cache, 'acme', pointer.flows.hello.path);
    await chmod(version, 0o700);
    await rm(version, { recursive: true });
    const first = await examined(other);
    expect(first.failing).toContain('state.pointer');
    expect(first.of('state.pointer')?.found).toBe('not whole: hello (flows/hello/v1.0.0)');
    // its credentials are those of a new machine
    expect(first.of('trust.memory')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('seq 1 in agent.db, 0 with'),
    });

    const database = join(other.cache, '.agent', 'agent.db');
    const bytes = await readFile(database);
    bytes.fill(0xa5, 4_096, 12_288);
    await writeFile(database, bytes);
    const second = await examined(other);
    expect(second.code).toBe(4);
    expect(second.failing).toContain('state.database');
  });

  it('tells offline apart from broken, server by server, with exit code 5', async () => {
    const other = await broken('offline');
    await other.adjust([
      [['saas_url'], 'http://127.0.0.1:9'],
      [['source', 'url'], 'https://no-such-host.invalid/git/acme.git'],
      [['artifacts', 'allow'], ['https://127.0.0.1:9/edge']],
      [['artifacts', 'endpoint'], undefined],
      [['tunnel'], { kind: 'none' }],
    ]);
    const { code, failing, of } = await examined(other);
    expect(code).toBe(5);
    expect(failing).toEqual(['network.console.tcp', 'network.source.dns', 'network.artifacts.tls']);
    expect(of('network.source.dns')?.found).toMatch(/^no-such-host\.invalid: E/);
    expect(of('clock.offset')).toMatchObject({
      status: 'warn',
      found: 'no server has answered, so nobody knows',
    });
  });
});
