import { describe, expect, it } from 'vitest';
import type { AgentRecords } from '../../reconciler/records.ts';
import { runVersion } from '../../reconciler/run-version.ts';
import { activeFlow, DIGEST, flowSpec, flowState, pointer, REVISION } from './fixtures.ts';

const place = (version: string, sha256: string) => ({ version, sha256, path: `flows/a/${version}` });
const settings = (version: string, sha256: string) => ({
  spec: flowSpec({ id: 'a', version, sha256 }),
  entrypoint: `${version}.py`,
  revision: REVISION,
});

/** The pointer says v1 after v2; the database says what it is given. */
function choose(active: string, previous: string, named?: string) {
  const digests: Record<string, string> = { v1: DIGEST.a, v2: DIGEST.b };
  const of = (version: string) => settings(version, digests[version] as string);
  const current = pointer({
    a: activeFlow({ ...place('v1', DIGEST.a), previous: place('v2', DIGEST.b) }),
  });
  const state = flowState(of(active).spec, { active: of(active), previous: of(previous) });
  const records = { flow: () => state } as Pick<AgentRecords, 'flow'>;
  return runVersion({ store: { current: () => current }, records }, 'a', named);
}

describe('the version of a run', () => {
  it('is the active one, or the named one before it, with its own settings', () => {
    expect(choose('v1', 'v2')).toMatchObject({ version: 'v1', settings: { entrypoint: 'v1.py' } });
    expect(choose('v1', 'v2', 'v2')).toMatchObject({ version: 'v2', settings: { entrypoint: 'v2.py' } });
  });

  it('is none while the database knows another version than the pointer', () => {
    expect(choose('v2', 'v1')).toContain('expected the settings of v1 of flow a, found those of v2');
    expect(choose('v2', 'v1', 'v1')).toContain('expected the settings of v1 of flow a, found those of v2');
    expect(choose('v1', 'v1', 'v2')).toContain('expected the settings of v2 of flow a, found those of v1');
  });
});
