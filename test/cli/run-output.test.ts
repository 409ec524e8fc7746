import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Daemon, startCommand, until } from '../support/daemon.ts';
import { createWorld, helloBundle, manifestV1, type World } from '../support/world.ts';

let world: World;
let daemon: Daemon | null = null;
beforeEach(async () => {
  world = await createWorld();
  await world.release(manifestV1(world, 'a.tar.gz', helloBundle('one')), { version: 'v1' });
});
afterEach(async () => {
  if (daemon !== null && daemon.process.exitCode === null) await daemon.stop('SIGKILL');
  daemon = null;
  await world[Symbol.asyncDispose]();
});

const configured = (dir: string) =>
  world.writeConfig({ source: { url: world.git.url('builder'), interval: '1m' }, log: { dir } });
/** Without what Node says of the machine's own certificates. */
const linesOf = (agent: Daemon) =>
  agent
    .output()
    .split('\n')
    .slice(0, -1)
    .filter((line) => !/^(Warning: |\(node:)/.test(line));
/** What is said of itself by a process that nobody watches at a terminal. */
const run = async (...options: string[]) => {
  daemon = startCommand(world, ...options, 'run');
  const agent = daemon;
  await until(
    'its word',
    () => linesOf(agent).some((line) => /edge-agent run:|"running"/.test(line)),
    120_000,
  );
  return agent;
};

describe('what edge-agent run says where nobody watches', () => {
  it('is who it is and where the log is, and how it ended', async () => {
    const dir = join(world.folder, 'log');
    configured(dir);
    const agent = await run();
    const [start] = linesOf(agent);
    const { pid } = agent.process;
    expect(start).toBe(
      `edge-agent run: an agent of ${world.slug} without a console, process ${pid}; its log is ${join(dir, 'edge-agent.log')}`,
    );
    expect(existsSync(join(dir, 'edge-agent.log'))).toBe(true);
    expect(await agent.stop()).toBe(0);
    expect(linesOf(agent).slice(1)).toEqual([
      expect.stringMatching(/^edge-agent run: ended by SIGTERM after \d+ s$/),
    ]);
  });

  it('is JSON with --output json', async () => {
    const dir = join(world.folder, 'log');
    configured(dir);
    const agent = await run('--output', 'json');
    expect(await agent.stop('SIGINT')).toBe(0);
    const [start, end, ...more] = linesOf(agent).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(start).toMatchObject({
      event: 'running',
      tenant: world.slug,
      agent_id: null,
      pid: agent.process.pid,
      config: world.config,
      log: join(dir, 'edge-agent.log'),
    });
    expect(end).toMatchObject({
      event: 'ended',
      because: 'ended by SIGINT',
      ran_ms: expect.any(Number) as number,
    });
    expect(more).toEqual([]);
  });

  it('is that the log goes there too, where its folder cannot be written', async () => {
    const file = join(world.folder, 'no-folder');
    writeFileSync(file, '');
    configured(file);
    const agent = await run('--output', 'json');
    expect(await agent.stop()).toBe(0);
    const said = linesOf(agent).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(said.find(({ event }) => event === 'running')).toMatchObject({ log: null });
    expect(said.some(({ msg }) => String(msg).includes('cannot be written'))).toBe(true);
  });

  it('is why it could not begin, and nothing of running', async () => {
    configured(join(world.folder, 'log'));
    const first = await run();
    const second = startCommand(world, 'run');
    await until('its end', () => second.process.exitCode !== null, 120_000);
    expect(linesOf(second)).toEqual([
      expect.stringMatching(
        new RegExp(`^edge-agent: expected the state .* locked by process ${first.process.pid} `),
      ),
    ]);
    expect(second.process.exitCode).toBe(5);
  });
});
