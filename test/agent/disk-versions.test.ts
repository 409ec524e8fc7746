import { describe, expect, it } from 'vitest';
import { diskVersions } from '../../agent/disk-versions.ts';
import type { VersionRecord } from '../../reconciler/ports.ts';
import type { ActiveFlow, Current } from '../../schemas/current.ts';

const sha256 = (digit: string) => digit.repeat(64);
const record = (path: string, day: number, change: Partial<VersionRecord> = {}): VersionRecord => ({
  version: path.split('/').at(-1) as string,
  flow: path.startsWith('flows/') ? (path.split('/')[1] as string) : null,
  sha256: sha256('a'),
  path,
  bytes: 10,
  files: 1,
  unpacked_at: `2026-11-0${day}T00:00:00Z`,
  made: true,
  ...change,
});
const active = (path: string, previous: string | null): ActiveFlow => {
  const ref = (at: string) => ({ version: at.split('/').at(-1) as string, sha256: sha256('a'), path: at });
  return {
    ...ref(path),
    revision: `tenant/acme@sha1:${'b'.repeat(40)}`,
    activated_at: '2026-11-09T00:00:00Z',
    previous: previous === null ? null : ref(previous),
    held: null,
  };
};
const current = (flows: Current['flows']): Current => ({ format: 1, seq: null, revision: null, flows });
const said = (records: readonly VersionRecord[], flows: Current['flows']) =>
  diskVersions(records, current(flows)).map(({ flow, version, use }) => `${flow} ${version} ${use}`);

describe('the versions on disk', () => {
  it('are told with their use, those in use first and then the newest', () => {
    const records = [1, 2, 3, 4].map((day) => record(`flows/bot/v${day}`, day));
    expect(said(records, { bot: active('flows/bot/v2', 'flows/bot/v3') })).toEqual([
      'bot v2 active',
      'bot v3 previous',
      'bot v4 kept',
      'bot v1 kept',
    ]);
  });

  it('of a v1 manifest belong to the flow that lies at the root', () => {
    const records = [record('v1.0.7', 2), record('v1.0.6', 1)];
    expect(said(records, { invoices: active('v1.0.7', null) })).toEqual([
      'invoices v1.0.7 active',
      'invoices v1.0.6 kept',
    ]);
    expect(said(records, {})).toEqual(['default v1.0.7 kept', 'default v1.0.6 kept']);
  });

  it('are 200 at most, and none in use is left out', () => {
    const records = Array.from({ length: 300 }, (_, at) => record(`flows/bot/v${at}`, 2));
    const old = record('flows/bot/old', 1);
    const told = diskVersions([...records, old], current({ bot: active('flows/bot/old', null) }));
    expect(told).toHaveLength(200);
    expect(told[0]).toMatchObject({ version: 'old', use: 'active', bytes: 10, sha256: sha256('a') });
  });
});
