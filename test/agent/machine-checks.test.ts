import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkMachine } from '../../agent/machine-checks.ts';
import { agentPaths } from '../../agent/paths.ts';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { firstRoot } from '../trust/signed-files.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'machine-checks-'));
  const root = await firstRoot({ root: [newKey()], release: [newKey()] }, {}, '2090-01-01T00:00:00Z');
  await writeFile(join(folder, 'ours.json'), serialiseDocument(root));
  await writeFile(join(folder, 'unsigned.json'), JSON.stringify({ ...root, signatures: [] }));
  await writeFile(join(folder, 'tuf.json'), JSON.stringify({ signed: { _type: 'root' }, signatures: [] }));
  await writeFile(join(folder, 'key.json'), JSON.stringify(newKey()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function problems(mode: string, root?: string): Promise<readonly string[]> {
  const config = AgentConfig.parse({
    version: 1,
    tenant: 'acme',
    source: { url: 'https://git.example/acme.git' },
    trust: { mode, ...(root === undefined ? {} : { root }) },
  });
  return (await checkMachine(config, agentPaths(config, join(folder, 'agent.yaml')))).problems;
}

describe('what agent.yaml asks of a machine', () => {
  it('is a root of the kind that trust.mode goes with, which is told in words that lead on', async () => {
    expect(await problems('required', 'ours.json')).toEqual([]);
    expect(await problems('tuf', 'ours.json')).toEqual([
      expect.stringMatching(/^trust\.root: .*ours\.json: .*found a signed document of Edge-Agent.*required$/),
    ]);
    expect(await problems('required', 'tuf.json')).toEqual([
      expect.stringMatching(/^trust\.root: .*tuf\.json: .*found metadata of a TUF repository.*tuf$/),
    ]);
    for (const mode of ['required', 'tuf'])
      expect(await problems(mode, 'key.json')).toEqual([expect.stringMatching(/found a key \(JWK\)$/)]);
  });

  it('is a root that its own keys signed, and none at all only where nothing is verified by it', async () => {
    expect(await problems('required', 'unsigned.json')).toHaveLength(1);
    for (const mode of ['tuf', 'required'])
      expect(await problems(mode)).toEqual([expect.stringContaining(`as trust.mode is ${mode}, found none`)]);
    for (const mode of ['optional', 'off']) expect(await problems(mode)).toEqual([]);
  });
});
