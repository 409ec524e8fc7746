import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentPaths } from '../../agent/paths.ts';
import { openAgentState } from '../../agent/state.ts';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { createManualClock } from '../../system/clock.ts';
import { createCommandTimeFile } from '../../trust/command-time-file.ts';
import { createCredentialsTrustFile, TRUST_STATE_FILE } from '../../trust/trust-state-file.ts';
import { EMPTY } from '../trust/signed-files.ts';

const LONG_AGO = new Date('2020-01-01T00:00:00.000Z');
const ISSUED = '2026-11-20T15:00:00.000Z';

let folder: string;
let config: AgentConfig;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-'));
  mkdirSync(join(folder, 'credentials'));
  config = AgentConfig.parse({
    version: 1,
    tenant: 'acme',
    edge_cache_dir: join(folder, 'EdgeFlows'),
    source: { url: 'https://git.example.com/builder' },
    trust: { root: 'root.jws.json' },
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const paths = () => agentPaths(config, join(folder, 'agent.yaml'));

async function since(now: Date): Promise<string> {
  const state = await openAgentState(paths(), config, createManualClock(now));
  state.close();
  return state.since.toISOString();
}

describe('a state that begins while the clock stands in the past', () => {
  it('begins no earlier than the newest release that was accepted before the state was lost, and stays so', async () => {
    await createCredentialsTrustFile(paths().credentials).save({ ...EMPTY, latest_issued: ISSUED });
    expect(await since(LONG_AGO)).toBe(ISSUED);
    expect(await since(new Date('2026-12-01T00:00:00.000Z'))).toBe(ISSUED);
  });

  it('begins after the newest command that was taken from ahead of its clock', async () => {
    const taken = createCommandTimeFile(paths().credentials);
    await taken.raise(new Date(ISSUED));
    await taken.raise(LONG_AGO);
    expect(await since(LONG_AGO)).toBe('2026-11-20T15:00:00.001Z');
  });

  it('begins by its clock when nothing is remembered, or what is remembered is damaged', async () => {
    writeFileSync(join(paths().credentials, TRUST_STATE_FILE), '{"format":');
    writeFileSync(join(paths().credentials, 'command-time.json'), '{"latest_issued":1');
    expect(await since(LONG_AGO)).toBe(LONG_AGO.toISOString());
  });
});
