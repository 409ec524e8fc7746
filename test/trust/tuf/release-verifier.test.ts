import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_TRUST_MEMORY, mergeMemory, withSeqMark } from '../../../trust/memory.ts';
import { createTufReleaseVerifier } from '../../../trust/tuf/release-verifier.ts';
import { requirePart } from '../../support/parts.ts';
import { type PythonTuf, startPythonTuf, type TufPublisherOptions } from '../../support/tuf-publisher.ts';
import { MANIFEST_TEXT, makeTufTenant, type TufTenant } from './tuf-tenant.ts';

const packages = requirePart('pythonTuf');
const DAY_MS = 86_400_000;
const far = (days: number) => new Date(Date.now() + days * DAY_MS);
const order = (tenant: TufTenant, name: string, given?: object) => tenant.publisher.order(name, given);

let python: PythonTuf;
beforeAll(() => {
  if (packages !== null) python = startPythonTuf(packages);
});
afterAll(() => python?.[Symbol.asyncDispose]());
const tenantOf = (options: TufPublisherOptions = {}) => makeTufTenant(python, options);

describe.skipIf(packages === null)('a repository that python-tuf signed', { timeout: 60_000 }, () => {
  let tenant: TufTenant;
  beforeEach(async () => {
    tenant = await tenantOf();
  });

  it('is believed, and says what its release is called, how old an agent may be and when it ends', async () => {
    const issued = new Date(Date.now() - 60_000).toISOString();
    await tenant.release(MANIFEST_TEXT, { version: 'v1.0.7', min_agent: '0.1.0', issued, note: { mine: 1 } });
    const verdict = await tenant.look();
    expect(verdict).toMatchObject({
      kind: 'verified',
      statement: { seq: 2, version: 'v1.0.7', min_agent: '0.1.0' },
      rootVersion: 1,
      seq: { value: 2 },
      policy: null,
      newRoots: [],
      warnings: [],
    });
    if (verdict.kind === 'refused') return;
    expect(Buffer.from(verdict.manifest).toString()).toBe(MANIFEST_TEXT);
    expect(tenant.memory.latest_issued).toBe(issued);
    // and again, with what is remembered
    expect(await tenant.look()).toMatchObject({ kind: 'verified', statement: { seq: 2 } });
  });

  it.each([
    ['without versions in its names', { consistent: false }],
    ['with hashes and lengths of its metadata', { hashes: true }],
    [
      'with RSA and ECDSA keys',
      { schemes: { root: 'rsa', timestamp: 'ecdsa', snapshot: 'rsa', targets: 'ecdsa' } },
    ],
    ['with two root keys', { threshold: 2 }],
  ] as const)('is believed %s', async (_name, options) => {
    const other = await tenantOf(options);
    await other.release();
    expect(await other.look()).toMatchObject({ kind: 'verified', statement: { seq: 2 } });
    await order(other, 'rotate', { role: 'root', count: 2 });
    await order(other, 'root');
    await other.release('{}');
    expect(await other.look()).toMatchObject({ kind: 'verified', rootVersion: 2, newRoots: [2] });
  });

  it('binds the policy when a target names it, and ignores it otherwise', async () => {
    const policy = 'version: 1\n';
    await tenant.release();
    expect(await tenant.look({ 'agent-policy.yaml': policy })).toMatchObject({
      kind: 'verified',
      policy: null,
      warnings: [{ reason: 'PolicyIgnored' }],
    });
    await order(tenant, 'target', { path: 'tenant/acme/agent-policy.yaml', content: policy });
    await tenant.release();
    expect(await tenant.look({ 'agent-policy.yaml': policy })).toMatchObject({ policy: Buffer.from(policy) });
    expect(await tenant.look()).toMatchObject({ code: 'policy_missing' });
    expect(await tenant.look({ 'agent-policy.yaml': 'version: 2\n' })).toMatchObject({
      code: 'policy_mismatch',
    });
  });

  it('belongs to one tenant: a manifest of another is refused', async () => {
    await order(tenant, 'target', { path: 'tenant/globex/manifest.json', content: MANIFEST_TEXT });
    await order(tenant, 'target', { path: 'manifest.json', content: MANIFEST_TEXT });
    await order(tenant, 'publish');
    expect(await tenant.look()).toMatchObject({ kind: 'refused', code: 'tuf_target_missing' });
  });

  it('is refused without a pinned root, with one of another form, and with one that nobody signed', async () => {
    await tenant.release();
    const snapshot = await tenant.branch();
    const unsigned = JSON.stringify({ ...(JSON.parse(tenant.publisher.root) as object), signatures: [] });
    for (const [pinnedRoot, code] of [
      [null, 'root_missing'],
      ['{"payload":"e30","signatures":[]}', 'root_malformed'],
      ['no JSON', 'root_malformed'],
      [unsigned, 'root_threshold_not_met'],
    ] as const) {
      const verifier = createTufReleaseVerifier({ tenant: 'acme', pinnedRoot });
      expect(await verifier.verify(snapshot, EMPTY_TRUST_MEMORY, new Date())).toMatchObject({ code });
    }
    const pinnedRoot = '{"payload":"e30","signatures":[]}';
    const ours = createTufReleaseVerifier({ tenant: 'acme', pinnedRoot });
    expect(await ours.verify(snapshot, EMPTY_TRUST_MEMORY, new Date())).toMatchObject({
      message: expect.stringMatching(/expected TUF metadata, found a signed document of Edge-Agent/),
    });
  });

  it('names the snapshot that is missing, even where the one remembered leads further', async () => {
    await tenant.release();
    await tenant.look();
    const files = Object.keys(await tenant.publisher.files());
    const gone = (role: string) => files.filter((file) => file.endsWith(`.${role}.json`));
    const [snapshot, targets] = [gone('snapshot').toSorted().at(-1), gone('targets').toSorted().at(-1)];
    // as the sources read it: without the snapshot nobody knows which targets to ask for
    const without = Object.fromEntries([...gone('snapshot'), ...gone('targets')].map((file) => [file, null]));
    const missing = (file: string | undefined) => ({
      code: 'tuf_metadata_missing',
      message: `expected ${file}, found none; publish it`,
    });
    expect(await tenant.look(without)).toMatchObject(missing(snapshot));
    expect(await tenant.look({ [targets as string]: null })).toMatchObject(missing(targets));
  });

  it.each(['timestamp', 'snapshot', 'targets'])('is refused when somebody else signed %s', async (role) => {
    await tenant.release();
    await order(tenant, 'steal', { role });
    await tenant.release('{}');
    expect(await tenant.look()).toMatchObject({ kind: 'refused', code: 'threshold_not_met' });
    expect(await tenant.look({ 'manifest.json': MANIFEST_TEXT })).toMatchObject({ kind: 'refused' });
  });

  it.each(['timestamp', 'snapshot', 'targets'])('is refused once %s has expired', async (role) => {
    await order(tenant, 'expire', { role, at: far(10).toISOString() });
    await tenant.release();
    expect(await tenant.look()).toMatchObject({ kind: 'verified' });
    expect(await tenant.look({}, far(11))).toMatchObject({ kind: 'refused', code: 'release_expired' });
    // a clock that is set back makes nothing fresh that time was learned past
    tenant.memory = { ...tenant.memory, latest_issued: far(11).toISOString() };
    expect(await tenant.look()).toMatchObject({ kind: 'refused', code: 'release_expired' });
  });

  it('says that an end comes near: a week before for what people sign, half a day for what a machine does', async () => {
    await order(tenant, 'expire', { role: 'targets', at: far(5).toISOString() });
    await order(tenant, 'expire', { role: 'timestamp', at: far(2).toISOString() });
    await tenant.release();
    const messages = async (now: Date) => {
      const verdict = await tenant.look({}, now);
      return verdict.kind === 'verified'
        ? verdict.warnings.map(({ message }) => message.split(' ')[0])
        : verdict;
    };
    expect(await messages(new Date())).toEqual(['targets']);
    expect(await messages(far(1.8))).toEqual(['timestamp', 'targets']);
  });

  it('learns time from what a publisher says, and from nothing further ahead than a day', async () => {
    await tenant.release(MANIFEST_TEXT, { issued: far(3).toISOString() });
    expect(await tenant.look()).toMatchObject({ kind: 'refused', code: 'issued_in_future' });
    await tenant.release(MANIFEST_TEXT, { version: 'no/version' });
    expect(await tenant.look()).toMatchObject({ kind: 'refused', code: 'document_malformed' });
  });

  describe('put back', () => {
    it('is a rollback, also for an agent that lost all but its pointer', async () => {
      await tenant.release();
      const old = await tenant.publisher.files();
      await tenant.release('{"n":2}');
      const second = await tenant.look();
      expect(second.kind).toBe('verified');
      const timestamp = { 'metadata/timestamp.json': old['metadata/timestamp.json'] as string };
      expect(await tenant.look({ ...timestamp, 'manifest.json': MANIFEST_TEXT })).toMatchObject({
        code: 'tuf_rollback',
      });
      const seq = second.kind === 'verified' ? second.seq : null;
      tenant.memory = withSeqMark(EMPTY_TRUST_MEMORY, seq);
      expect(await tenant.look({ ...timestamp, 'manifest.json': MANIFEST_TEXT })).toMatchObject({
        code: 'tuf_rollback',
      });
      expect(await tenant.look()).toMatchObject({ kind: 'verified' });
    });

    it('is a rollback of snapshot and of targets too, under a newer timestamp', async () => {
      await tenant.release();
      await tenant.release('{"n":2}');
      await tenant.look();
      await order(tenant, 'version', { role: 'targets', to: 0 });
      await tenant.release();
      expect(await tenant.look()).toMatchObject({
        code: 'tuf_rollback',
        message: expect.stringContaining('targets.json'),
      });
      await order(tenant, 'version', { role: 'snapshot', to: 1 });
      await order(tenant, 'publish');
      expect(await tenant.look()).toMatchObject({ code: 'tuf_rollback' });
    });

    it('is a rollback when a role is gone from the snapshot', async () => {
      await order(tenant, 'delegate', { role: 'team', paths: ['team/*'] });
      await order(tenant, 'publish', { roles: ['team'] });
      await tenant.release();
      expect(await tenant.look()).toMatchObject({ kind: 'verified' });
      await order(tenant, 'forget', { role: 'team' });
      await order(tenant, 'publish');
      expect(await tenant.look()).toMatchObject({
        code: 'tuf_rollback',
        message: expect.stringContaining('team.json'),
      });
    });

    it('counts after a rotation that keeps the old keys', async () => {
      await tenant.release();
      const old = (await tenant.publisher.files())['metadata/timestamp.json'] as string;
      await tenant.release('{"n":2}');
      await tenant.look();
      await order(tenant, 'rotate', { role: 'timestamp', keep: true });
      await order(tenant, 'root');
      expect(
        await tenant.look({ 'metadata/timestamp.json': old, 'manifest.json': MANIFEST_TEXT }),
      ).toMatchObject({
        code: 'tuf_rollback',
        newRoots: [2],
      });
    });
  });

  it('recovers from versions that a thief ran up, once the keys are rotated', async () => {
    await order(tenant, 'version', { role: 'timestamp', to: 1_000_000 });
    await tenant.release();
    expect(await tenant.look()).toMatchObject({ statement: { seq: 1_000_001 } });
    await order(tenant, 'version', { role: 'timestamp', to: 1 });
    await tenant.release('{"n":2}');
    expect(await tenant.look()).toMatchObject({ code: 'tuf_rollback' });
    await order(tenant, 'rotate', { role: 'timestamp' });
    await order(tenant, 'root');
    await order(tenant, 'publish');
    expect(await tenant.look()).toMatchObject({ kind: 'verified', statement: { seq: 3 } });
    // from here on the new numbers count, whichever copy of the memory is read
    const stale = { ...tenant.memory, tuf: undefined };
    tenant.memory = mergeMemory(tenant.memory, stale);
    await order(tenant, 'version', { role: 'timestamp', to: 1 });
    await order(tenant, 'publish');
    expect(await tenant.look()).toMatchObject({ code: 'tuf_rollback' });
  });

  it('is an alarm when one version says two things', async () => {
    await tenant.release();
    await tenant.look();
    await order(tenant, 'version', { role: 'timestamp', to: 1 });
    await tenant.release('{"n":2}');
    expect(await tenant.look()).toMatchObject({ code: 'tuf_equivocation' });
  });

  it.each([
    ['metadata/timestamp.json', 'tuf_metadata_missing'],
    ['metadata/2.snapshot.json', 'tuf_metadata_missing'],
    ['metadata/1.targets.json', 'tuf_metadata_missing'],
    ['manifest.json', 'manifest_missing'],
  ])('is refused without %s', async (path, code) => {
    await tenant.release();
    expect(await tenant.look({ [path]: null })).toMatchObject({ kind: 'refused', code });
  });

  it('is refused when files of two publications are mixed', async () => {
    await tenant.release();
    const first = await tenant.publisher.files();
    await tenant.release('{"n":2}');
    const second = await tenant.publisher.files();
    const mixed: Record<string, string>[] = [
      { 'metadata/3.snapshot.json': first['metadata/2.snapshot.json'] as string },
      { 'metadata/2.targets.json': first['metadata/1.targets.json'] as string },
    ];
    for (const files of mixed) {
      tenant.memory = EMPTY_TRUST_MEMORY;
      expect(await tenant.look(files)).toMatchObject({ code: 'tuf_metadata_mismatch' });
    }
    tenant.memory = EMPTY_TRUST_MEMORY;
    expect(await tenant.look({ 'manifest.json': MANIFEST_TEXT })).toMatchObject({
      code: 'manifest_mismatch',
    });
    expect(second['metadata/timestamp.json']).not.toBe(first['metadata/timestamp.json']);
  });

  it('is refused when its metadata differs from the hashes that name it', async () => {
    const hashed = await tenantOf({ hashes: true });
    await hashed.release();
    const snapshot = (await hashed.publisher.files())['metadata/2.snapshot.json'] as string;
    expect(await hashed.look({ 'metadata/2.snapshot.json': `${snapshot} ` })).toMatchObject({
      code: 'tuf_metadata_mismatch',
    });
  });

  it.each([
    ['metadata/timestamp.json', 16 * 1_024],
    ['metadata/2.snapshot.json', 2 * 1_024 * 1_024],
    ['metadata/1.targets.json', 5 * 1_024 * 1_024],
  ])('is refused when %s is larger than its cap', async (path, cap) => {
    await tenant.release();
    const text = (await tenant.publisher.files())[path] as string;
    expect(await tenant.look({ [path]: text.padEnd(cap) })).toMatchObject({ kind: 'verified' });
    tenant.memory = EMPTY_TRUST_MEMORY;
    expect(await tenant.look({ [path]: text.padEnd(cap + 1) })).toMatchObject({ code: 'document_too_large' });
  });

  it('is refused, whichever byte of its metadata is changed', async () => {
    await tenant.release();
    const files = await tenant.publisher.files();
    let changed = 0;
    for (const path of ['metadata/timestamp.json', 'metadata/2.snapshot.json', 'metadata/1.targets.json']) {
      const text = files[path] as string;
      for (let at = 0; at < text.length; at += 7) {
        const other = text[at] === '0' ? '1' : '0';
        // white space and the case of hex digits are not signed: what counts is what was signed
        if (/\s/.test(text[at] as string)) continue;
        tenant.memory = EMPTY_TRUST_MEMORY;
        expect(await tenant.look({ [path]: text.slice(0, at) + other + text.slice(at + 1) })).toMatchObject({
          kind: 'refused',
        });
        changed += 1;
      }
    }
    expect(changed).toBeGreaterThan(150);
  });

  describe('roots', () => {
    it('are followed one by one, remembered, and not led back by withholding them', async () => {
      await tenant.release();
      for (let next = 2; next <= 5; next += 1) {
        await order(tenant, 'rotate', { role: 'root' });
        await order(tenant, 'rotate', { role: 'timestamp' });
        await order(tenant, 'root');
      }
      await order(tenant, 'publish');
      expect(await tenant.look()).toMatchObject({ kind: 'verified', rootVersion: 5, newRoots: [2, 3, 4, 5] });
      const withheld = Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`metadata/${n}.root.json`, null]));
      expect(await tenant.look(withheld)).toMatchObject({ kind: 'verified', rootVersion: 5, newRoots: [] });
    });

    it('are refused when a forger signs the next one, when versions and names differ, and when one of two is other', async () => {
      await order(tenant, 'rotate', { role: 'targets' });
      await order(tenant, 'root');
      await tenant.release();
      const { 'metadata/2.root.json': second } = await tenant.publisher.files();
      expect(await tenant.look({ 'metadata/3.root.json': second as string })).toMatchObject({
        code: 'root_name_mismatch',
      });
      expect(tenant.memory.tuf?.roots.map(({ version }) => version)).toEqual([2]);
      const forger = await tenantOf();
      await order(forger, 'root');
      await order(forger, 'root');
      const forged = await forger.publisher.files();
      expect(
        await tenant.look({ 'metadata/3.root.json': forged['metadata/3.root.json'] as string }),
      ).toMatchObject({
        code: 'root_threshold_not_met',
      });
      expect(
        await tenant.look({ 'metadata/2.root.json': forged['metadata/2.root.json'] as string }),
      ).toMatchObject({
        code: 'root_conflict',
      });
      expect(await tenant.look({ 'metadata/1.root.json': forger.publisher.root })).toMatchObject({
        code: 'root_conflict',
      });
      expect(await tenant.look()).toMatchObject({ kind: 'verified', rootVersion: 2 });
    });

    it('must not have expired at the end of the walk', async () => {
      await order(tenant, 'expire', { role: 'root', at: far(1).toISOString() });
      await order(tenant, 'root');
      await tenant.release();
      expect(await tenant.look({}, far(2))).toMatchObject({ code: 'root_expired', newRoots: [2] });
      await order(tenant, 'expire', { role: 'root', at: far(100).toISOString() });
      await order(tenant, 'root');
      expect(await tenant.look({}, far(2))).toMatchObject({ kind: 'verified', rootVersion: 3 });
    });

    it('are not passed over', async () => {
      await order(tenant, 'rotate', { role: 'timestamp' });
      await order(tenant, 'root');
      await order(tenant, 'rotate', { role: 'timestamp' });
      await order(tenant, 'root');
      await tenant.release();
      expect(await tenant.look({ 'metadata/2.root.json': null })).toMatchObject({
        code: 'threshold_not_met',
      });
      expect(await tenant.look()).toMatchObject({ kind: 'verified', rootVersion: 3 });
      const lost = tenant.memory.tuf?.roots.filter(({ version }) => version === 3) ?? [];
      tenant.memory = {
        ...tenant.memory,
        tuf: { ...(tenant.memory.tuf as NonNullable<typeof tenant.memory.tuf>), roots: lost },
      };
      expect(await tenant.look({ 'metadata/2.root.json': null })).toMatchObject({ code: 'root_gap' });
    });
  });

  describe('delegations', () => {
    const delegated = { path: 'tenant/acme/manifest.json', content: MANIFEST_TEXT, role: 'acme team' };

    it('lead to the role of a tenant, by the paths it may speak of', async () => {
      await order(tenant, 'delegate', { role: 'acme team', paths: ['tenant/acme/*'], terminating: true });
      await order(tenant, 'target', delegated);
      await order(tenant, 'publish', { roles: ['acme team', 'targets'] });
      expect(Object.keys(await tenant.publisher.files())).toContain('metadata/1.acme team.json');
      const files = await tenant.publisher.files();
      // published as its name is quoted in a URL
      const quoted = {
        'metadata/1.acme team.json': null,
        'metadata/1.acme%20team.json': files['metadata/1.acme team.json'] as string,
      };
      expect(await tenant.look(quoted)).toMatchObject({ kind: 'verified' });
      expect(await tenant.look({ ...quoted, 'metadata/1.acme%20team.json': null })).toMatchObject({
        code: 'tuf_metadata_missing',
      });
    });

    it('do not let a role speak of what it was not given', async () => {
      await order(tenant, 'delegate', { role: 'globex', paths: ['tenant/globex/*'] });
      await order(tenant, 'target', { ...delegated, role: 'globex' });
      await order(tenant, 'publish', { roles: ['globex', 'targets'] });
      expect(await tenant.look()).toMatchObject({ code: 'tuf_target_missing' });
    });

    it('go to hash bins', async () => {
      const bins = (await order(tenant, 'bins', { prefix: 'bin', bits: 4 })) as string[];
      const role = await order(tenant, 'bin_of', { path: 'tenant/acme/manifest.json' });
      await order(tenant, 'target', { path: 'tenant/acme/manifest.json', content: MANIFEST_TEXT, role });
      await order(tenant, 'publish', { roles: [...bins, 'targets'] });
      expect(await tenant.look()).toMatchObject({ kind: 'verified' });
    });
  });
});
