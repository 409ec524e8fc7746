import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Enrolment } from '../../agent/enrolment.ts';
import { DoctorReport } from '../../schemas/doctor.ts';
import {
  type ConsoleWorld,
  createConsoleWorld,
  type EnrolledMachine,
  machineIn,
} from '../support/console-world.ts';
import { until } from '../support/daemon.ts';
import { helloBundle } from '../support/world.ts';
import { type Ended, edgeAgent } from './edge-agent.ts';

let world: ConsoleWorld;
beforeAll(async () => {
  world = await createConsoleWorld();
  const bundle = helloBundle('hello');
  const edge_url = await world.upload('hello.tar.gz', bundle);
  const flow = { id: 'hello', version: 'v1.0.0', edge_url, sha256: bundle.sha256, runtime: 'python' };
  await world.release([{ ...flow, entrypoint: 'main.py' }]);
});
afterAll(() => world[Symbol.asyncDispose]());

const newToken = async () => world.running.console.admin.makeEnrolmentToken({ slug: 'acme' });
const messageOf = (ended: Ended) => (ended.json() as { error: { message: string } }).error.message;

/** An account with folders for two agents, and one `~/EdgeFlows`. */
async function account(name: string) {
  const home = join(world.folder, 'accounts', name);
  const at = (folder: string) => join(home, folder);
  for (const folder of ['one', 'two']) await mkdir(at(folder), { recursive: true });
  const enroll = (folder: string, token: string, ...args: string[]) =>
    edgeAgent(['enroll', '--config', 'agent.yaml', '--output', 'json', ...args], {
      cwd: at(folder),
      input: token,
      env: { HOME: home },
    });
  const enrolled = async (folder: string, token: string, ...args: string[]) => {
    const ended = await enroll(folder, token, ...args);
    expect(ended).toMatchObject({ code: 0 });
    return ended.json() as Enrolment;
  };
  return { home, at, shared: at('EdgeFlows'), enroll, enrolled };
}

describe('a second enrolment on one account', { timeout: 240_000 }, () => {
  it('is refused where the state is of another agent, with nothing made and the token good for elsewhere', async () => {
    const { at, shared, enroll, enrolled } = await account('refused');
    const first = await enrolled('one', await newToken());
    expect(first.cache_dir).toBe(shared);

    const token = await newToken();
    const agents = await world.running.console.admin.agents('acme');
    const refused = await enroll('two', token);
    expect(refused.code).toBe(2);
    const message = messageOf(refused);
    for (const said of [
      first.agent_id,
      shared,
      first.config,
      '--cache-dir',
      `unenroll --config ${first.config}`,
    ])
      expect(message).toContain(said);
    expect(existsSync(at('two/agent.yaml'))).toBe(false);
    expect(existsSync(at('two/credentials'))).toBe(false);
    expect(await world.running.console.admin.agents('acme')).toHaveLength(agents.length);

    const second = await enrolled('two', token, '--cache-dir', 'EdgeFlows');
    expect(second.cache_dir).toBe(at('two/EdgeFlows'));
    expect(second.agent_id).not.toBe(first.agent_id);
    // and once more for the same agent, here and there
    expect((await enrolled('two', token)).cache_dir).toBe(at('two/EdgeFlows'));
    expect((await enrolled('one', await newToken())).cache_dir).toBe(shared);
  });

  it('is let in where the other one left, or its agent.yaml is gone, and kept out while that one works on', async () => {
    const { home, at, shared, enroll, enrolled } = await account('left');
    await enrolled('one', await newToken());
    const left = await edgeAgent(['--config', 'agent.yaml', 'unenroll', '--yes'], {
      cwd: at('one'),
      env: { HOME: home },
    });
    expect(left).toMatchObject({ code: 0 });
    const second = await enrolled('two', await newToken());
    expect(second.cache_dir).toBe(shared);

    const machine = await sharing(home, 'two');
    const daemon = machine.start();
    await until(
      'the daemon',
      async () => (await machine.agent('status')).stdout.includes('edge-agent run, process'),
      120_000,
    );
    await rm(at('two'), { recursive: true });
    await mkdir(at('two'));
    const refused = await enroll('one', await newToken());
    expect(refused.code).toBe(2);
    expect(messageOf(refused)).toContain(second.agent_id);
    expect(messageOf(refused)).toContain(`end process ${daemon.process.pid}`);
    expect(await daemon.stop()).toBe(0);

    const taken = await enroll('one', await newToken());
    expect(taken).toMatchObject({ code: 0 });
    expect(taken.stderr).toContain(`the state in ${shared} was agent ${second.agent_id}'s`);
  });
});

/** A machine of the account, whose processes have its home too. */
async function sharing(home: string, folder: string): Promise<EnrolledMachine> {
  const machine = await machineIn(join(home, folder), join(home, 'EdgeFlows'));
  // the daemon of the test has the home of whoever runs it
  await machine.adjust([[['edge_cache_dir'], join(home, 'EdgeFlows')]]);
  return machine;
}

describe('an agent.yaml that names the state of another agent', { timeout: 240_000 }, () => {
  let one: EnrolledMachine;
  let two: EnrolledMachine;
  beforeAll(async () => {
    one = await world.enrol('owner');
    two = await world.enrol('guest');
    await rm(two.cache, { recursive: true, force: true });
    await two.adjust([[['edge_cache_dir'], one.cache]]);
    const { code, stderr } = await one.agent('reconcile');
    if (code !== 0) throw new Error(stderr);
  }, 240_000);

  const plain = () =>
    `this agent.yaml is agent ${two.agentId} of acme (${two.config}); the state in ${one.cache} is agent ${one.agentId}'s of acme (${one.config})`;

  it.each([
    ['reconcile'],
    ['status'],
    ['trigger', 'hello', '--wait'],
    ['suspend', '--why', 'by the wrong one'],
    ['runs'],
    ['run'],
    ['unenroll', '--yes'],
  ])('is told so by %s, with the way out, and nothing is done', async (...verb) => {
    const { code, stderr } = await two.agent(...verb);
    expect(stderr).toContain(plain());
    expect(stderr).toContain(`"edge_cache_dir: ./EdgeFlows" in ${two.config}`);
    expect(code).toBe(2);
  });

  it('is told so while the other one is at work, which goes on, and doctor says it as what is wrong', async () => {
    const daemon = one.start();
    await until(
      'the daemon',
      async () => (await one.agent('status')).stdout.includes('edge-agent run, process'),
      120_000,
    );
    for (const verb of [['reconcile'], ['status'], ['run'], ['unenroll', '--yes', '--purge']]) {
      const { code, stderr } = await two.agent(...verb);
      expect(stderr).toContain(`${plain()}, which process ${daemon.process.pid} works on`);
      expect(code).toBe(2);
    }
    const doctor = await two.agent('--output', 'json', 'doctor');
    const { checks, daemon: peer } = DoctorReport.parse(JSON.parse(doctor.stdout));
    const owner = checks.find(({ name }) => name === 'state.owner');
    expect(owner).toMatchObject({ status: 'fail', found: expect.stringContaining(plain()) as string });
    expect(owner?.fix).toContain('edge_cache_dir');
    expect(doctor.code).toBe(2);
    // of the other one's state it says nothing as if it were this one's
    expect(peer).toBeNull();
    const silent = ['configuration.in_force', 'trust.memory', 'agent.reconcile', 'state.pointer'];
    expect(checks.filter(({ name }) => silent.includes(name))).toEqual([]);

    // with a wrong agent.yaml too
    const right = await readFile(two.config, 'utf8');
    await two.adjust([[['intervall'], '1m']]);
    const wrong = await two.agent('status');
    expect(wrong.code).toBe(2);
    expect(wrong.stdout).toBe('');
    await two.adjust([[['intervall'], undefined]]);
    expect(await readFile(two.config, 'utf8')).toBe(right);

    // and the daemon's own, wrong in what says whose it is, does not hide the daemon
    const own = await readFile(one.config, 'utf8');
    await writeFile(one.config, own.replace(/^tenant: .*$/m, 'tenant:'));
    expect((await one.agent('status')).stdout).toContain('edge-agent run, process');
    await writeFile(one.config, own);

    expect(daemon.process.exitCode).toBeNull();
    expect((await one.json<{ suspended: unknown }>('status')).suspended).toBeNull();
    expect(await daemon.stop()).toBe(0);

    await two.adjust([[['edge_cache_dir'], './EdgeFlows']]);
    expect(await two.agent('reconcile')).toMatchObject({ code: 0 });
    expect(await one.agent('status')).toMatchObject({ code: 0 });
  });
});
