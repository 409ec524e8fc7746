import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { validateFile } from '../../../agent/validate-file.ts';
import type { TrustMemory } from '../../../reconciler/ports.ts';
import { signCommand } from '../../../trust/ceremony/command.ts';
import { newKey } from '../../../trust/ceremony/new-key.ts';
import { createCommandVerifier } from '../../../trust/command-verifier.ts';
import { EMPTY_TRUST_MEMORY } from '../../../trust/memory.ts';
import { thumbprint } from '../../../trust/thumbprint.ts';
import { tufCommandAuthority } from '../../../trust/tuf/trigger-keys.ts';
import { requirePart } from '../../support/parts.ts';
import { type PythonTuf, startPythonTuf } from '../../support/tuf-publisher.ts';
import { makeTufTenant } from './tuf-tenant.ts';

const packages = requirePart('pythonTuf');
const AGENT = 'agent-1';
const trigger = newKey();

let python: PythonTuf;
beforeAll(() => {
  if (packages !== null) python = startPythonTuf(packages);
});
afterAll(() => python?.[Symbol.asyncDispose]());

function documentOf(key = trigger): string {
  const { kty, crv, x } = key;
  const kid = thumbprint(key);
  return JSON.stringify({
    type: 'edgeflows-trigger-keys/v1',
    keys: { [kid]: { kty, crv, x } },
    roles: { trigger: { keyids: [kid], threshold: 1 } },
  });
}

async function verdictOf(pinnedRoot: string | null, memory: TrustMemory, key = trigger, now = new Date()) {
  const command = await signCommand(
    {
      command_id: 'c-1',
      action: 'run',
      tenant: 'acme',
      agent_id: AGENT,
      issued: new Date(now.getTime() - 1_000).toISOString(),
      expires: new Date(now.getTime() + 60_000).toISOString(),
      run_id: 'r-1',
      flow: 'default',
      inputs: {},
    },
    key,
  );
  const authority = tufCommandAuthority(pinnedRoot);
  const { verify } = createCommandVerifier({ tenant: 'acme', pinnedRoot, authority });
  const verdict = await verify(command, { memory, now, agentId: AGENT, stateSince: new Date(0) });
  return verdict.kind === 'refused' ? verdict.code : verdict.kind;
}

describe.skipIf(packages === null)('commands to an agent with trust.mode: tuf', { timeout: 60_000 }, () => {
  it('count by the keys of a signed target, of the release that was believed last', async () => {
    const tenant = await makeTufTenant(python);
    const { publisher } = tenant;
    const path = 'tenant/acme/trigger-keys.json';
    const ask = (key = trigger) => verdictOf(publisher.root, tenant.memory, key);
    await tenant.release();
    await tenant.look();
    expect(await ask()).toBe('no_root');

    await publisher.order('target', { path, content: documentOf() });
    await tenant.release();
    // listed and not there, or another: nothing of the release is believed
    expect(await tenant.look()).toMatchObject({ code: 'tuf_trigger_keys_invalid' });
    expect(await tenant.look({ 'trigger-keys.json': documentOf(newKey()) })).toMatchObject({
      code: 'tuf_trigger_keys_invalid',
    });
    expect(await ask()).toBe('no_root');
    expect(await tenant.look({ 'trigger-keys.json': documentOf() })).toMatchObject({ kind: 'verified' });
    expect(await ask()).toBe('verified');
    expect(await ask(newKey())).toBe('key_unknown');

    // through a rotation of everything, and gone with the release that has none
    for (const role of ['root', 'timestamp', 'snapshot', 'targets'])
      await publisher.order('rotate', { role });
    await publisher.order('root');
    await tenant.release();
    expect(await tenant.look({ 'trigger-keys.json': documentOf() })).toMatchObject({
      kind: 'verified',
      rootVersion: 2,
    });
    expect(await ask()).toBe('verified');
    await publisher.order('remove', { path });
    await tenant.release();
    expect(await tenant.look()).toMatchObject({ kind: 'verified' });
    expect(await ask()).toBe('no_root');
  });

  it('end with the root, and need one', async () => {
    const tenant = await makeTufTenant(python);
    const document = documentOf();
    await tenant.publisher.order('target', { path: 'tenant/acme/trigger-keys.json', content: document });
    await tenant.release();
    await tenant.look({ 'trigger-keys.json': document });
    const late = new Date(Date.now() + 400 * 86_400_000);
    expect(await verdictOf(tenant.publisher.root, tenant.memory, trigger, late)).toBe('root_expired');
    expect(await verdictOf(null, tenant.memory)).toBe('no_root');
    expect(await verdictOf('{}', EMPTY_TRUST_MEMORY)).toBe('no_root');
  });
});

describe('trigger-keys.json', () => {
  const problems = async (text: string) => {
    const folder = await mkdtemp(join(tmpdir(), 'trigger-keys-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'trigger-keys.json');
    await writeFile(file, text);
    return (await validateFile(file)).problems.map((problem) => problem.replace(folder, '.'));
  };

  it('is checked by edge-agent validate, and the one of the documentation is right', async () => {
    const page = await readFile(new URL('../../../docs/spec/tuf.md', import.meta.url), 'utf8');
    const [, example = ''] = /```json\n([^`]*)```/.exec(page) ?? [];
    expect(example).toContain('edgeflows-trigger-keys/v1');
    expect(await problems(example)).toEqual([]);
    expect(await problems(documentOf())).toEqual([]);
    const misnamed = documentOf().replaceAll(thumbprint(trigger), thumbprint(newKey()));
    expect(await problems(misnamed)).toEqual([
      expect.stringMatching(/^\.\/trigger-keys\.json: expected the key \S+ under its thumbprint/),
    ]);
    expect(await problems('{')).toEqual(['./trigger-keys.json: expected JSON']);
  });
});
