import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConsoleState, openState } from '../../console/state.ts';
import { createManualClock } from '../../system/clock.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { publicPart } from '../../trust/thumbprint.ts';
import { rootDocument } from './running-console.ts';
import { command } from './tunnel-client.ts';

let directory: string;
let state: ConsoleState;
const jwk = newKey();
const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
const agent = {
  agent_id: 'a1',
  tenant: 'acme',
  thumbprint: jwk.kid,
  device_jwk: publicPart(jwk),
  hostname: 'pc',
  os: 'linux',
  arch: 'x64',
  agent_version: '0.1.0',
  enrolled_at: '2026-11-20T15:00:00Z',
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'commands-'));
  state = await openState(directory, clock);
  await state.tenants.add({ slug: 'acme', rootDocument: await rootDocument(), artifacts: {} });
  await state.agents.save(agent, 'git-token');
});
afterAll(async () => {
  await state.close();
  rmSync(directory, { recursive: true, force: true });
});

const add = async (expires: string) => {
  const { id, jws } = await command(
    { issuer: 'a1', answer: { tenant: 'acme' } } as Parameters<typeof command>[0],
    { issued: '2026-11-20T15:00:00Z', expires },
  );
  const known = await state.agents.get('a1');
  if (known === null) throw new Error('expected the agent');
  const { row } = await state.commands.add(known, jws, clock.now(), 10);
  return { id, row };
};
const list = async () => state.commands.list('a1', { limit: 10 }, clock.now());

it('a command that can no longer be sent is shown as expired, before anything has noted it', async () => {
  const short = await add('2026-11-20T15:00:02Z');
  const long = await add('2026-11-20T16:00:00Z');
  const sent = await add('2026-11-20T15:00:02Z');
  await state.commands.sent([sent.row.id], clock.now());
  expect((await list()).map(({ state: is }) => is)).toEqual(['sent', 'queued', 'queued']);

  clock.set(new Date('2026-11-20T15:00:02Z'));
  expect(
    (await state.commands.waiting('a1', 0, 10, clock.now())).map(({ command_id }) => command_id),
  ).toEqual([long.id]);
  const shown = await list();
  // An answer to the one that was sent may be on its way.
  expect(shown.map(({ command_id, state: is }) => [command_id, is])).toEqual([
    [sent.id, 'sent'],
    [long.id, 'queued'],
    [short.id, 'expired'],
  ]);
  expect(shown[2]?.settled_at).toBe('2026-11-20T15:00:02.000Z');

  clock.set(new Date('2026-11-20T15:00:06Z'));
  expect((await state.commands.expire(clock.now())).map(({ command_id }) => command_id)).toEqual([
    short.id,
    sent.id,
  ]);
  // Noted later, it says the same.
  expect((await list())[2]).toEqual(shown[2]);
});
