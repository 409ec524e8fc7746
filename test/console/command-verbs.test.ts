import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compactVerify, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../console/main.ts';
import { serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot, rotateRoot } from '../../trust/ceremony/root-draft.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  git,
  publish,
  type RunningConsole,
  startConsole,
} from './running-console.ts';
import { connect, type TunnelClient } from './tunnel-client.ts';

const key = newKey();
let running: RunningConsole;
let agent: EnrolledAgent;
let client: TunnelClient;
let keyFile: string;
let data: string;

beforeAll(async () => {
  running = await startConsole();
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
  client = await connect(agent, running.url);
  keyFile = join(running.directory, 'trigger.jwk');
  await writeFile(keyFile, JSON.stringify(key), { mode: 0o600 });
  data = join(running.directory, 'data');
});
afterAll(async () => {
  await client.end();
  await running[Symbol.asyncDispose]();
});

/** What the program prints, as the process would; its exit code. */
const run = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
  const said = { out: '', err: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said.out += String(text);
    return true;
  });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.err += String(text);
    return true;
  });
  try {
    return { code: await main(args), ...said };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
};
const command = async (verb: string, ...more: string[]) => {
  const result = await run(
    'command',
    verb,
    '--agent',
    agent.issuer,
    '--key',
    keyFile,
    '--output',
    'json',
    ...more,
  );
  return { ...result, said: JSON.parse(result.out) as Record<string, unknown> };
};
const arrived = async (id: unknown) => {
  const { data: jws } = await client.next('edgeflows.command', (frame) => frame.id === id);
  const { payload } = await compactVerify(
    jws as string,
    await importJWK({ ...key, d: undefined }, 'Ed25519'),
  );
  client.send('edgeflows.ack', { ids: [id] });
  return JSON.parse(Buffer.from(payload).toString('utf8')) as Record<string, unknown>;
};

describe('console command', () => {
  it.each([
    ['the data directory', () => ['--data', data]],
    ['the address of the console', () => ['--url', running.url, '--api-key', running.apiKey]],
  ])('signs here and hands in at %s', async (_name, where) => {
    const ran = await command(
      'run',
      ...where(),
      '--flow',
      'invoice-bot',
      '--input',
      '{"n":1}',
      '--timeout',
      '5m',
    );
    expect(ran.code).toBe(0);
    expect(ran.said).toEqual({ command_id: expect.any(String), run_id: expect.any(String), state: 'queued' });
    expect(await arrived(ran.said['command_id'])).toMatchObject({
      action: 'run',
      tenant: 'acme',
      agent_id: agent.issuer,
      run_id: ran.said['run_id'],
      flow: 'invoice-bot',
      inputs: { n: 1 },
      timeout: '5m',
    });
  });

  it('knows every action', async () => {
    const where = ['--data', data];
    const cases: [string[], Record<string, unknown>][] = [
      [['cancel', '--run-id', 'r1'], { action: 'cancel', run_id: 'r1' }],
      [['suspend', '--why', 'tests', '--by', 'ada'], { action: 'suspend', why: 'tests', by: 'ada' }],
      [['resume', '--by', 'ada'], { action: 'resume', by: 'ada' }],
      [
        ['rollback', '--flow', 'f', '--why', 'worse', '--by', 'ada'],
        { action: 'rollback', flow: 'f', why: 'worse', by: 'ada' },
      ],
    ];
    for (const [[verb = '', ...args], expected] of cases) {
      const { said } = await command(verb, ...args, ...where);
      expect(await arrived(said['command_id'])).toMatchObject(expected);
    }
  });

  it('suspends until a time, or for a duration', async () => {
    const suspend = async (until: string) => {
      const from = Date.now();
      const where = ['--data', data, '--why', 'holiday', '--by', 'nina'];
      const { said } = await command('suspend', ...where, '--until', until);
      const payload = await arrived(said['command_id']);
      return { until: String(payload['until']), from, to: Date.now() };
    };
    const wholeDay = await suspend('2099-12-01T08:00:00+01:00');
    expect(wholeDay.until).toBe('2099-12-01T07:00:00.000Z');
    const hours = await suspend('2h');
    const at = Date.parse(hours.until) - 2 * 3_600_000;
    expect(at).toBeGreaterThanOrEqual(hours.from);
    expect(at).toBeLessThanOrEqual(hours.to);

    for (const [wrong, message] of [
      ['soon', /^edge-console: --until: expected a time such as .* or a duration such as 4h, found "soon"/],
      ['12', /--until: .* found "12"/],
      ['0s', /--until: expected a time to come.*, found "0s"/],
      ['104000000d', /--until: expected a time to come/],
      ['2020-01-01T00:00:00Z', /--until: expected a time to come/],
    ] as const) {
      const args = [
        '--agent',
        agent.issuer,
        '--key',
        keyFile,
        '--data',
        data,
        '--why',
        'w',
        '--until',
        wrong,
      ];
      const { code, err } = await run('command', 'suspend', ...args);
      expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    }
    expect((await run('command', 'suspend', '--help')).out.replaceAll(/\s+/g, ' ')).toContain(
      'or a duration such as 4h',
    );
  });

  it('says what is wrong', async () => {
    const publicOnly = join(running.directory, 'public.jwk');
    await writeFile(publicOnly, JSON.stringify({ ...key, d: undefined }));
    const where = ['--data', data, '--flow', 'f'];
    const cases: [string[], RegExp][] = [
      [['--key', publicOnly, ...where], /expected a private Ed25519 key as JWK/],
      [['--key', join(running.directory, 'none'), ...where], /found absent/],
      [['--agent', 'nobody', ...where], /found no nobody/],
      [['--expires', '25h', ...where], /at most 24h/],
      [['--input', '{', ...where], /expected JSON/],
      [['--url', running.url, '--flow', 'f'], /--api-key/],
      [['--url', running.url, '--api-key', 'wrong', '--flow', 'f'], /refused \(401\)/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await command('run', ...args);
      expect([code, err]).toEqual([2, expect.stringMatching(message)]);
      expect(err).not.toContain(key.d);
    }
  });

  it('makes the secret of a webhook', async () => {
    const first = await run('tenant', 'hook', 'acme', '--data', data, '--output', 'json');
    expect(JSON.parse(first.out)).toEqual({
      slug: 'acme',
      url: `${running.url}/hooks/acme`,
      secret: expect.stringMatching(/^egh_/),
    });
    expect((await run('tenant', 'hook', 'nobody', '--data', data)).code).toBe(2);
  });
});

describe('console tenant trigger-key', () => {
  const verb = async (...args: string[]) => {
    const result = await run('tenant', 'trigger-key', ...args, '--data', data, '--output', 'json');
    return { ...result, said: JSON.parse(result.out) as Record<string, unknown> };
  };

  it('gives the console a key that the root lists, says which it has, and takes it away', async () => {
    const [rootKey, trigger] = [newKey(), newKey()];
    const draft = newRoot({
      expires: '2099-01-01T00:00:00Z',
      keys: { root: [rootKey], release: [newKey()], trigger: [trigger] },
    });
    const rootDocument = serialiseDocument(await signDocument(draft, rootKey, 'edgeflows-root+jws'));
    await running.console.admin.addTenant({ slug: 'keyed', rootDocument });
    const file = join(running.directory, 'own.jwk');
    await writeFile(file, JSON.stringify(trigger), { mode: 0o600 });
    const none = { slug: 'keyed', trigger_key: null };
    expect((await verb('keyed')).said).toEqual(none);
    const given = await verb('keyed', '--key', file);
    expect(given.said).toMatchObject({ trigger_key: { kid: trigger.kid, added_by: 'operator' } });
    expect(given.out + given.err).not.toContain(trigger.d);
    const wrong = await verb('keyed', '--key', keyFile);
    expect([wrong.code, JSON.stringify(wrong.said)]).toEqual([2, expect.stringContaining('key_not_allowed')]);
    expect((await verb('keyed', '--remove')).said).toEqual(none);
    expect((await verb('nobody')).code).toBe(2);
    expect((await verb('keyed', '--remove', '--key', file)).code).toBe(2);
  });
});

describe('a command that no agent would take', () => {
  it('is refused by name when its agent is revoked', async () => {
    const gone = await enrolAgent(running, 'acme');
    await running.console.admin.revokeAgent(gone.issuer);
    for (const where of [
      ['--data', data],
      ['--url', running.url, '--api-key', running.apiKey],
    ]) {
      const { code, err } = await command('run', '--agent', gone.issuer, '--flow', 'f', ...where);
      expect([code, err]).toEqual([2, expect.stringContaining('agent_revoked')]);
    }
    const { out } = await run('command', 'list', '--agent', gone.issuer, '--data', data, '--output', 'json');
    expect(JSON.parse(out)).toEqual([]);
  });

  it('is refused by name when its key is no trigger key of a root that the console has', async () => {
    const [root, release, trigger, next] = [newKey(), newKey(), newKey(), newKey()];
    const first = newRoot({
      expires: '2099-01-01T00:00:00Z',
      keys: { root: [root], release: [release], trigger: [trigger] },
    });
    const rootDocument = serialiseDocument(await signDocument(first, root, 'edgeflows-root+jws'));
    const tenant = await running.console.admin.addTenant({ slug: 'initech', rootDocument });
    const { issuer } = await enrolAgent(running, 'initech');
    const by = async (signer: object) => {
      const file = join(running.directory, `${randomUUID()}.jwk`);
      await writeFile(file, JSON.stringify(signer), { mode: 0o600 });
      return command('run', '--agent', issuer, '--key', file, '--flow', 'f', '--data', data);
    };
    // Nothing is published here: its git, with a newer root, may lie elsewhere.
    expect((await by(release)).code).toBe(0);

    const { folder } = await publish(running, tenant, { 'manifest.json': '{}' });
    const wrong = await by(release);
    expect([wrong.code, wrong.err]).toEqual([
      2,
      expect.stringMatching(/key_not_allowed: .*trigger role of root 1 .*found .* a key of its release role/),
    ]);
    expect((await by(trigger)).code).toBe(0);
    expect((await by(next)).err).toMatch(/key_not_allowed: .*which it does not list/);

    const second = rotateRoot(first, { expires: '2099-01-01T00:00:00Z', keys: { trigger: [next] } });
    await mkdir(join(folder, 'roots'));
    const signed = serialiseDocument(await signDocument(second, root, 'edgeflows-root+jws'));
    await writeFile(join(folder, 'roots', '2.root.jws.json'), signed);
    await git(folder, 'add', '.');
    await git(folder, 'commit', '-q', '-m', 'Root 2');
    await git(folder, 'push', '-q', 'origin', 'HEAD');
    expect((await by(next)).code).toBe(0);
    expect((await by(release)).err).toContain('trigger role of root 2');
  });
});

it('shows what became of a command', async () => {
  const { said } = await command('run', '--flow', 'f', '--data', data);
  const id = String(said['command_id']);
  await client.next('edgeflows.command', (frame) => frame.id === id);
  const message = 'expected a key of the trigger role of root 1, found another';
  client.send('edgeflows.ack', { ids: [], refused: [{ id, code: 'key_not_allowed', message }] });
  const show = async (...more: string[]) => run('command', 'show', id, '--data', data, ...more);
  await vi.waitFor(
    async () => {
      const row = JSON.parse((await show('--output', 'json')).out) as object;
      expect(row).toMatchObject({ command_id: id, state: 'refused', code: 'key_not_allowed', message });
    },
    { timeout: 60_000, interval: 100 },
  );
  expect((await show()).out).toContain(message);
  const listed = await run('command', 'list', '--agent', agent.issuer, '--data', data);
  expect(listed.out).toMatch(new RegExp(`${id} .* refused .* key_not_allowed .*${message}`));
  expect((await run('command', 'show', 'none', '--data', data)).code).toBe(2);
  expect((await run('command', 'list', '--agent', 'none', '--data', data)).code).toBe(2);
});

it('only signs with --out, asks no console, and replaces no file', async () => {
  const out = join(running.directory, 'command.jws');
  const args = [
    'command',
    'run',
    '--agent',
    agent.issuer,
    '--key',
    keyFile,
    '--flow',
    'report',
    '--out',
    out,
  ];
  expect(await run(...args)).toMatchObject({ code: 2, err: expect.stringContaining('--tenant with --out') });
  const signed = await run(...args, '--tenant', 'acme', '--data', join(running.directory, 'nowhere'));
  expect(signed).toMatchObject({ code: 0, out: expect.stringContaining(`signed, in ${out}`) });
  const { payload } = await compactVerify(
    await readFile(out, 'utf8'),
    await importJWK({ kty: key.kty, crv: key.crv, x: key.x }, 'Ed25519'),
  );
  expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({
    action: 'run',
    tenant: 'acme',
    agent_id: agent.issuer,
    flow: 'report',
  });
  expect(await run(...args, '--tenant', 'acme')).toMatchObject({
    code: 2,
    err: expect.stringContaining('expected no file'),
  });
});
