import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../schemas/event.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { type CommandPayload, signCommand } from '../../trust/ceremony/command.ts';
import { type DraftDocument, readDraft, serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, type ReleasePlan, signRelease } from '../../trust/ceremony/release.ts';
import { rotateRoot } from '../../trust/ceremony/root-draft.ts';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { type Daemon, until } from '../support/daemon.ts';
import { daysAhead, signRoot } from '../support/signed-tenant.ts';

const WITHIN_MS = 60_000;

let world: ConsoleWorld;
let machine: EnrolledMachine;
let daemon: Daemon;
let root: DraftDocument;
const manifests: Record<string, string> = {};
let commands = 0;

beforeAll(async () => {
  world = await createConsoleWorld();
  root = readDraft(world.rootText, 'root 1');
  for (const version of ['v1', 'v2', 'evil', 'v3', 'v4']) {
    const bundle = bundleOf({ 'main.py': `print(${JSON.stringify(version)})\n` });
    const edge_url = await world.upload(`${version}.tar.gz`, bundle);
    const flow = { id: 'bot', version, edge_url, sha256: bundle.sha256, runtime: 'python' };
    manifests[version] = JSON.stringify({ manifest_version: 2, flows: [flow] });
  }
  await world.publish(await released('v1', { seq: 1 }));
  machine = await world.enrol('one');
  await machine.agent('reconcile');
  await world.publish(await released('v2', { seq: 2 }));
  daemon = machine.start();
  await until('version 2', async () => (await status())?.flows[0]?.active_version === 'v2', WITHIN_MS);
  await until('the tunnel', async () => (await agent()).tunnel.connected, WITHIN_MS);
}, 120_000);
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await world?.[Symbol.asyncDispose]();
});

async function released(
  version: string,
  plan: Partial<ReleasePlan>,
  key: PrivateJwk = world.releaseKey,
): Promise<Record<string, string>> {
  const manifest = manifests[version] as string;
  const statement = makeReleaseStatement({
    tenant: 'acme',
    seq: 3,
    issued: new Date().toISOString(),
    expires: daysAhead(90),
    root_version: 1,
    manifestBytes: Buffer.from(manifest),
    ...plan,
  });
  return {
    'manifest.json': manifest,
    'release.jws.json': serialiseDocument(await signRelease(statement, [key])),
  };
}

async function api<T>(path: string): Promise<T> {
  const answer = await fetch(`${world.url}/api/${path}`, { headers: { 'x-api-key': world.running.apiKey } });
  if (!answer.ok) throw new Error(`expected an answer to ${path}, found ${answer.status}`);
  return (await answer.json()) as T;
}
const agent = () =>
  api<{ status: Status | null; tunnel: { connected: boolean } }>(`agents/${machine.agentId}`);
const status = async () => (await agent()).status;
const refusals = async () => {
  const { events } = await api<{ events: { event: Event }[] }>(`events?agent=${machine.agentId}&limit=500`);
  return events.map(({ event }) => event).filter(({ reason }) => reason === 'ReleaseRefused');
};

/** A run by this key, as the console hands it on; its id. */
async function runBy(key: PrivateJwk): Promise<{ command_id: string; run_id: string }> {
  commands += 1;
  const ids = { command_id: `c-${commands}`, run_id: `r-${commands}` };
  const now = Date.now();
  const payload = {
    ...ids,
    action: 'run',
    tenant: 'acme',
    agent_id: machine.agentId,
    issued: new Date(now).toISOString(),
    expires: new Date(now + 3_600_000).toISOString(),
    flow: 'bot',
    inputs: {},
  } satisfies CommandPayload;
  const answer = await fetch(`${world.url}/api/agents/${machine.agentId}/commands`, {
    method: 'POST',
    headers: { 'x-api-key': world.running.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ jws: await signCommand(payload, key) }),
  });
  expect(answer.status).toBe(202);
  return ids;
}

async function expectRun(key: PrivateJwk, stdout: string): Promise<void> {
  const { run_id } = await runBy(key);
  const report = await until(
    `the report of ${run_id}`,
    () => api<RunReport>(`runs/${run_id}`).catch(() => null),
    WITHIN_MS,
  );
  expect(report).toMatchObject({ status: 'succeeded', stdout });
}

/** The code with which the agent answered a command, as the console shows it. */
async function codeOf(key: PrivateJwk): Promise<string> {
  const { command_id } = await runBy(key);
  return until(
    `the answer to ${command_id}`,
    async () => {
      const { commands: listed } = await api<{ commands: { command_id: string; code: string | null }[] }>(
        `agents/${machine.agentId}/commands`,
      );
      return listed.find((command) => command.command_id === command_id)?.code ?? null;
    },
    WITHIN_MS,
  );
}

/** Puts it on the branch, and waits until whoever looks at the console can read why it is not believed. */
async function expectShown(files: Readonly<Record<string, string>>, code: string): Promise<void> {
  const told = (await refusals()).length;
  await world.publish(files);
  const shown = await until(
    `${code} in the status`,
    async () => {
      const now = await status();
      return now?.conditions.some(({ type, reason }) => type === 'Stalled' && reason === code) === true
        ? now
        : null;
    },
    WITHIN_MS,
  );
  expect(shown.conditions).toMatchObject([
    { type: 'Ready', status: 'False', reason: code },
    { type: 'Stalled', status: 'True', reason: code },
  ]);
  const because = await until(
    `the event of ${code}`,
    async () => {
      const found = (await refusals()).slice(told).map((event) => event.because);
      return found.length === 0 ? null : found;
    },
    WITHIN_MS,
  );
  expect(because).toEqual([code]);
}

async function expectActive(version: string): Promise<void> {
  await until(
    `${version} at the console`,
    async () => {
      const now = await status();
      return now?.flows[0]?.active_version === version && now.conditions[0]?.status === 'True';
    },
    WITHIN_MS,
  );
}

describe('what an operator sees at the console', () => {
  const attacks: [string, string, () => Promise<Record<string, string>>][] = [
    ['equivocation', 'seq_equivocation', () => released('evil', { seq: 2 })],
    ['a rollback', 'seq_rollback', () => released('v1', { seq: 1 })],
    [
      'a freeze',
      'release_expired',
      () => released('evil', { issued: daysAhead(-2), expires: daysAhead(-1) }),
    ],
    [
      'a jump ahead in time',
      'issued_in_future',
      () => released('evil', { issued: '2099-01-01T00:00:00Z', expires: '2100-01-01T00:00:00Z' }),
    ],
    ['the release of another tenant', 'tenant_mismatch', () => released('evil', { tenant: 'globex' })],
  ];

  it.each(attacks)(
    '%s has a code of its own in the status and in the history, and the flow goes on',
    async (_, code, make) => {
      await expectShown(await make(), code);
      await expectRun(world.triggerKey, 'v2\n');
    },
    180_000,
  );

  it('is said with a code of its own by each of them', () => {
    expect(new Set(attacks.map(([, code]) => code)).size).toBe(attacks.length);
  });

  it('a jump to the last number ends with the key that made it', async () => {
    await world.publish(await released('evil', { seq: Number.MAX_SAFE_INTEGER }));
    await expectActive('evil');
    await expectShown(await released('v3', { seq: 3 }), 'seq_rollback');

    const release = newKey();
    root = await signRoot(rotateRoot(root, { expires: daysAhead(365), keys: { release: [release] } }), [
      world.rootKey,
    ]);
    const two = { 'roots/2.root.jws.json': serialiseDocument(root) };
    await world.publish({ ...two, ...(await released('v3', { seq: 1, root_version: 2 }, release)) });
    await expectActive('v3');
    await expectShown(await released('evil', { seq: 2, root_version: 2 }), 'threshold_not_met');
    await world.publish(await released('v3', { seq: 2, root_version: 2 }, release));
    await expectActive('v3');
    await expectRun(world.triggerKey, 'v3\n');

    // The trigger key goes the same way; what the root before allowed is refused from then on.
    const trigger = newKey();
    const agentKey = newKey();
    const keys = { trigger: [trigger], agent: [agentKey] };
    root = await signRoot(rotateRoot(root, { expires: daysAhead(365), keys }), [world.rootKey]);
    const three = { 'roots/3.root.jws.json': serialiseDocument(root) };
    await world.publish({ ...three, ...(await released('v4', { seq: 3, root_version: 3 }, release)) });
    await expectActive('v4');
    expect(await codeOf(world.triggerKey)).toBe('key_unknown');
    expect(await codeOf(agentKey)).toBe('key_not_allowed');
    await expectRun(trigger, 'v4\n');

    // A restart does not bring the old one back.
    await daemon.stop('SIGKILL');
    await until('the end of the tunnel', async () => !(await agent()).tunnel.connected, WITHIN_MS);
    daemon = machine.start();
    await until('the tunnel', async () => (await agent()).tunnel.connected, WITHIN_MS);
    expect(await codeOf(world.triggerKey)).toBe('key_unknown');
    await expectRun(trigger, 'v4\n');
  }, 300_000);
});
