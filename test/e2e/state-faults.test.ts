import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENT_MAIN } from '../support/agent-program.ts';
import { createWorld, helloBundle, manifestV1, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const reasons = () =>
  readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { reason: string }).reason);

describe('a state that cannot be used', () => {
  it('is a damaged pointer: said with what to do, never taken for an empty one', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    await world.reconcile();
    writeFileSync(world.path('current.json'), '{"format":1,');
    const damaged = await world.reconcile();
    expect({ code: damaged.code, error: damaged.document.error?.code }).toEqual({
      code: 4,
      error: 'state_unusable',
    });
    expect(damaged.document.error?.message).toContain('current.json');
    expect(damaged.stderr).not.toContain('bug');
    expect((await world.agent('status')).code).toBe(4);
  });

  it('is a damaged trust state: an old release does not come back in through it', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    await world.reconcile();
    writeFileSync(join(world.folder, 'credentials', 'trust-state.json'), 'null');
    const damaged = await world.reconcile();
    expect({ code: damaged.code, error: damaged.document.error?.code }).toEqual({
      code: 4,
      error: 'state_unusable',
    });
  });

  it('is a root that is not there', async () => {
    rmSync(join(world.folder, 'root.jws.json'));
    const missing = await world.reconcile();
    expect({ code: missing.code, error: missing.document.error?.code }).toEqual({
      code: 2,
      error: 'config_invalid',
    });
    expect(missing.document.error?.message).toContain('root.jws.json');
  });

  it('is a credentials file that holds nonsense, which is not repeated', async () => {
    writeFileSync(join(world.folder, 'credentials', 'git-token'), 'secret-one\nsecret-two\n', {
      mode: 0o600,
    });
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    const refused = await world.reconcile();
    expect({ code: refused.code, error: refused.document.error?.code }).toEqual({
      code: 4,
      error: 'credentials_refused',
    });
    expect(refused.stdout + refused.stderr).not.toContain('secret-');
  });

  it('closes credentials that others may read', async () => {
    const token = join(world.folder, 'credentials', 'git-token');
    writeFileSync(token, 'x-token');
    chmodSync(token, 0o644);
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    expect((await world.reconcile()).code).toBe(0);
    expect(statSync(token).mode & 0o777).toBe(0o600);
  });

  it('is a folder where none can be made', async () => {
    mkdirSync(world.cache);
    writeFileSync(join(world.cache, '.agent'), 'a file');
    const refused = await world.reconcile();
    expect(refused.code).toBe(4);
    expect(refused.stderr).not.toContain('bug');
  });
});

describe('what stands in the way', () => {
  it('is an event when it begins and not at every attempt, and its end is one', async () => {
    await world.release(manifestV1(world, 'a.tar.gz', helloBundle('a')), { version: 'v1' });
    world.git.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    for (let attempt = 0; attempt < 3; attempt += 1) expect((await world.reconcile()).code).toBe(5);
    expect(reasons()).toEqual(['SourceFailed', 'ReconcileRetrying']);
    world.git.intercept = null;
    expect((await world.reconcile()).code).toBe(0);
    expect(reasons()).toContain('SourceRecovered');
  });

  it('does not hide the status of an agent that has nothing yet', async () => {
    const status = await world.json<{ conditions: object[]; flows: object[] }>('status');
    expect(status.code).toBe(0);
    expect(status.document).toMatchObject({ conditions: [{ type: 'Ready', status: 'Unknown' }], flows: [] });
    expect((await world.json('events')).document).toEqual([]);
    expect((await world.json('runs')).document).toEqual([]);
  });

  it('ends quietly when its reader goes away', async () => {
    const { execFileSync } = await import('node:child_process');
    const command = `"${process.execPath}" "${AGENT_MAIN}" --config "${world.config}" events --follow | true; echo "\${PIPESTATUS[0]}"`;
    await world.reconcile();
    expect(
      execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    ).toBe('0\n');
  });
});
