import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { type CommandPayload, signCommand } from '../../trust/ceremony/command.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { until } from '../support/daemon.ts';
import { createSignedTenant, type SignedTenant, SLUG, type TenantMachine } from '../support/signed-tenant.ts';
import { type AgentConnection, startTunnelConsole, type TunnelConsole } from '../support/tunnel-console.ts';

const AGENT = 'agent-1';
const WITHIN_MS = 60_000;
const never = new AbortController().signal;

/** A console that sends what a thief has recorded, as often as it likes. */
let hostile: TunnelConsole;
let tenant: SignedTenant;
let machine: TenantMachine;
beforeAll(async () => {
  hostile = await startTunnelConsole();
  tenant = await createSignedTenant();
  machine = tenant.machine();
  machine.publish(await tenant.files(tenant.manifest('one', { version: 'v1' }), { seq: 1 }));
  await machine.apply();
  machine.publish(await tenant.files(tenant.manifest('two', { version: 'v2' }), { seq: 2 }));
  await machine.apply();
  writeFileSync(join(machine.folder, 'credentials', 'device.jwk'), JSON.stringify(newKey()), { mode: 0o600 });
  machine.configure({
    agent_id: AGENT,
    tunnel: { kind: 'websocket', url: hostile.url.href.replace(/^http/, 'ws') },
  });
}, 60_000);
afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
  await tenant?.[Symbol.asyncDispose]();
});

type Draft = Record<string, unknown> & { action: string };
const DRAFTS: readonly Draft[] = [
  { action: 'run', run_id: 'r-1', flow: 'default', inputs: {} },
  { action: 'cancel', run_id: 'r-1' },
  { action: 'suspend', by: 'Ann', why: 'audit' },
  { action: 'rollback', flow: 'default', by: 'Ann', why: 'wrong totals' },
  { action: 'resume', by: 'Ann' },
];

function sign(draft: Draft, key: PrivateJwk): Promise<string> {
  const now = Date.now();
  const payload = {
    command_id: randomUUID(),
    tenant: SLUG,
    agent_id: AGENT,
    issued: new Date(now).toISOString(),
    expires: new Date(now + 3_600_000).toISOString(),
    ...draft,
  };
  return signCommand(payload as CommandPayload, key);
}

const told = (reason: string) => machine.events().filter((event) => event.reason === reason).length;
const status = () => machine.operations.status({}, never);
const runs = async () => (await machine.operations.runs({ flow: null, limit: 100 }, never)).runs.length;

/**
 * Sends it to the newest connection, and gives what the agent answers to each frame: `taken` when it is on disk or was before,
 * else why it is not believed.
 */
async function send(...jws: readonly string[]): Promise<string[]> {
  const connection = await until('a connection', () => hostile.connections.findLast(isOpen), WITHIN_MS);
  const frames = jws.map((one) => ({ id: randomUUID(), one }));
  for (const { id, one } of frames) connection.send('edgeflows.command', one, id);
  const answers = new Map<string, string>();
  await until(
    'an answer to every frame',
    () => {
      for (const { data } of connection.of('edgeflows.ack') as { data: Acknowledged }[]) {
        for (const id of data.ids) answers.set(id, 'taken');
        for (const { id, code } of data.refused ?? []) answers.set(id, code);
      }
      return frames.every(({ id }) => answers.has(id));
    },
    WITHIN_MS,
  );
  return frames.map(({ id }) => answers.get(id) as string);
}

interface Acknowledged {
  readonly ids: readonly string[];
  readonly refused?: readonly { readonly id: string; readonly code: string }[];
}
const isOpen = (one: AgentConnection) => one.closed() === null && one.of('edgeflows.hello').length > 0;
const all = (code: string) => DRAFTS.map(() => code);

/** Nothing is suspended, rolled back or run beyond what is there. */
async function expectAsItWas(ran: number): Promise<void> {
  const now = await status();
  expect({
    suspended: now.suspended,
    active: now.flows[0]?.active_version,
    held: now.flows[0]?.held,
  }).toEqual({
    suspended: null,
    active: 'v2',
    held: null,
  });
  expect(await runs()).toBe(ran);
}

it('run, cancel, suspend, rollback and resume are done by a trigger key alone, and once: not again after a restart, nor after a loss of state', async () => {
  const recorded: string[] = [];
  await machine.withDaemon(async () => {
    // By keys of every other role, and by nobody's.
    const { root, release, agent } = tenant.keys;
    for (const key of [root[0], release[0], agent]) {
      const sent = await Promise.all(DRAFTS.map((draft) => sign(draft, key)));
      expect(await send(...sent)).toEqual(all('key_not_allowed'));
    }
    const strange = await Promise.all(DRAFTS.map((draft) => sign(draft, newKey())));
    expect(await send(...strange)).toEqual(all('key_unknown'));
    const good = await Promise.all(DRAFTS.map((draft) => sign(draft, tenant.keys.trigger)));
    const forged = good.map((jws, index) => jws.replace(/[^.]+$/, strange[index]?.split('.')[2] as string));
    expect(await send(...forged)).toEqual(all('signature_invalid'));
    expect(told('CommandAccepted')).toBe(0);
    expect(told('CommandRefused')).toBeGreaterThan(0);
    await expectAsItWas(0);

    for (const draft of DRAFTS) {
      const jws = await sign(draft, tenant.keys.trigger);
      recorded.push(jws);
      const done = told('CommandDone');
      expect(await send(jws, jws, jws)).toEqual(['taken', 'taken', 'taken']);
      await until(draft.action, () => told('CommandDone') > done, WITHIN_MS);
    }
    expect(told('CommandDone')).toBe(DRAFTS.length);
    await until(
      'the version of the branch',
      async () => (await status()).flows[0]?.active_version === 'v2',
      WITHIN_MS,
    );
    await expectAsItWas(1);
    expect(await send(...recorded, ...recorded)).toEqual([...all('taken'), ...all('taken')]);
    expect(told('CommandDone')).toBe(DRAFTS.length);
    await expectAsItWas(1);
  });
  await machine.withDaemon(async () => {
    expect(await send(...recorded)).toEqual(all('taken'));
    expect(told('CommandDone')).toBe(DRAFTS.length);
    await expectAsItWas(1);
  });
  rmSync(join(machine.cache, '.agent'), { recursive: true });
  await machine.withDaemon(async () => {
    await until('what is active', async () => (await status()).flows[0]?.active_version === 'v2', WITHIN_MS);
    expect(await send(...recorded)).toEqual(all('older_than_state'));
    expect(told('CommandAccepted')).toBe(0);
    await expectAsItWas(0);
  });
}, 240_000);
