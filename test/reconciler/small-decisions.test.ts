import { describe, expect, it } from 'vitest';
import { olderThan } from '../../reconciler/agent-version.ts';
import { cleanUpIsDue } from '../../reconciler/clean-up-time.ts';
import { resolveEntrypoint } from '../../reconciler/entrypoint.ts';
import { impliedVersion } from '../../reconciler/normalise-release.ts';
import { versionsToPrune } from '../../reconciler/retention.ts';
import { inMaintenanceWindow } from '../../reconciler/window.ts';
import { activeFlow, DIGEST, NOW, pointer, versionRecord } from './fixtures.ts';

describe('the version of a v1 manifest that names none', () => {
  const revision = `tenant/acme@sha1:3f2a9c1d04be${'0'.repeat(28)}`;
  it.each([
    ['the statement’s', ['v1.0.3', 'bld/7'], 'v9', 'v9'],
    ['the highest v1.0.<patch> tag', ['v1.0.9', 'v1.0.10', 'v1.1.99', 'bld/7'], undefined, 'v1.0.10'],
    ['the bld/ tag', ['bld/7', 'nightly'], undefined, 'bld-7'],
    ['the first 12 digits of the commit', ['nightly'], undefined, '3f2a9c1d04be'],
    ['the commit when the tag is no version name', ['bld/a/../b', 'v1.0.x'], undefined, '3f2a9c1d04be'],
  ])('is %s', (_name, tags, stated, version) =>
    expect(impliedVersion({ revision, tags }, stated)).toBe(version),
  );
});

describe('the entrypoint', () => {
  const bundle = (...files: string[]) => ({
    rootFiles: () => Promise.resolve(files),
    hasFile: (_path: string, name: string) => Promise.resolve(files.includes(name)),
  });
  const find = (entrypoint: string | null, ...files: string[]) =>
    resolveEntrypoint(bundle(...files), { id: 'a', entrypoint }, 'p');
  it('is the named one', async () =>
    expect(await find('x.py', 'x.py', 'main.py')).toMatchObject({ entrypoint: 'x.py' }));
  it('is the only runner, before main.py', async () => {
    expect(await find(null, 'runner_42.py', 'main.py')).toMatchObject({ entrypoint: 'runner_42.py' });
  });
  it('is main.py when there is no runner, or several', async () => {
    expect(await find(null, 'main.py', 'lib.py')).toMatchObject({ entrypoint: 'main.py' });
    expect(await find(null, 'main.py', 'runner_1.py', 'runner_2.py')).toMatchObject({
      entrypoint: 'main.py',
    });
  });
  it('is refused by name when it is not there', async () => {
    expect(await find('x.py', 'main.py')).toMatchObject({
      code: 'entrypoint_missing',
      message: expect.stringContaining('"x.py"'),
    });
    expect(await find(null, 'lib.py')).toMatchObject({ code: 'entrypoint_missing' });
    expect(await find(null, 'runner_1.py', 'runner_2.py')).toMatchObject({
      message: expect.stringContaining('runner_1.py, runner_2.py'),
    });
  });
});

describe('retention', () => {
  const day = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString();
  const records = [0, 1, 2, 3, 4].map((days) =>
    versionRecord({
      version: `v${days}`,
      path: `flows/invoice-bot/v${days}`,
      unpacked_at: day(days),
      made: true,
      bytes: 10,
    }),
  );
  const policy = { schedule: '0 3 * * 0', keep_versions: 3, keep_days: 30 };
  const pruned = (
    current = pointer(),
    change: Partial<typeof policy & { max_bytes: number }> = {},
    leased: string[] = [],
  ) =>
    versionsToPrune(records, current, new Set(leased), { ...policy, ...change }, NOW).map(
      ({ record }) => record.version,
    );

  it('keeps the newest of each flow', () => expect(pruned()).toEqual(['v3', 'v4']));
  it('never removes the active or the previous version', () => {
    const previous = { version: 'v3', sha256: DIGEST.a, path: 'flows/invoice-bot/v3' };
    const current = pointer({ 'invoice-bot': activeFlow({ path: 'flows/invoice-bot/v4', previous }) });
    expect(pruned(current)).toEqual(['v1', 'v2']);
  });
  it('goes round a leased version', () =>
    expect(pruned(pointer(), {}, ['flows/invoice-bot/v4'])).toEqual(['v2', 'v3']));
  it('lets go what is older than keep_days', () =>
    expect(pruned(pointer(), { keep_versions: 9, keep_days: 2 })).toEqual(['v3', 'v4']));
  it('lets go first what never became active', () => {
    const never = (record: { version: string }) => record.version !== 'v0';
    const decisions = versionsToPrune(records, pointer(), new Set(), policy, NOW, never);
    expect(decisions.map(({ record }) => record.version)).toEqual(['v4', 'v0']);
  });
  it('lets the oldest go while all together are too large', () => {
    expect(pruned(pointer(), { keep_versions: 9, max_bytes: 25 })).toEqual(['v4', 'v3', 'v2']);
  });
});

describe('a maintenance window', () => {
  const at = new Date('2026-11-20T15:30:00Z');
  it('is always open when there is none', () => expect(inMaintenanceWindow(undefined, at, null)).toBe(true));
  it('is never open when the list is empty', () => expect(inMaintenanceWindow([], at, null)).toBe(false));
  it('is read in the agent’s time zone', () => {
    expect(inMaintenanceWindow(['* 16 * * fri'], at, 'Europe/Paris')).toBe(true);
    expect(inMaintenanceWindow(['* 16 * * fri'], at, 'UTC')).toBe(false);
  });
  it('takes either day when both are restricted, as crontab does', () => {
    expect(inMaintenanceWindow(['* * 1 * fri'], at, 'UTC')).toBe(true);
    expect(inMaintenanceWindow(['* * 20 * mon'], at, 'UTC')).toBe(true);
    expect(inMaintenanceWindow(['* * 1 * mon'], at, 'UTC')).toBe(false);
  });
});

describe('the weekly clean-up', () => {
  const sunday = new Date('2026-11-22T03:00:20Z');
  const due = (last: string, now = sunday) => cleanUpIsDue('0 3 * * 0', 'UTC', new Date(last), now);
  it('is due in the minute of its schedule, and once in it', () => {
    expect(due('2026-11-15T03:00:20Z')).toBe(true);
    expect(due('2026-11-22T03:00:05Z')).toBe(false);
    expect(due('2026-11-15T03:00:20Z', new Date('2026-11-22T03:01:20Z'))).toBe(false);
  });
  it('is made up for when the machine was off at its hour', () => {
    expect(due('2026-11-15T03:00:20Z', new Date('2026-11-23T09:00:00Z'))).toBe(true);
    expect(due('2026-11-16T09:00:00Z', new Date('2026-11-23T09:00:00Z'))).toBe(false);
  });
});

describe('agent versions', () => {
  it.each([
    ['1.2.3', '1.2.4', true],
    ['1.10.0', '1.9.9', false],
    ['1.0.0-rc.1', '1.0.0', true],
    ['1.0.0-rc.2', '1.0.0-rc.10', true],
    ['1.0.0', '1.0.0', false],
  ])('%s before %s: %s', (a, b, older) => expect(olderThan(a, b)).toBe(older));
});
