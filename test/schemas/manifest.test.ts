import { describe, expect, it } from 'vitest';
import { ManifestV1 } from '../../schemas/manifest-v1.ts';
import { dependencyCycle, ManifestV2 } from '../../schemas/manifest-v2.ts';

const v1 = {
  edge_url: 'https://minio.example/edge_pkg_42.tar.gz',
  sha256: 'a'.repeat(64),
  runtime: 'playwright',
};
const flow = { ...v1, id: 'invoice-bot', version: 'v1.0.7' };
const manifest = (...flows: object[]) => ({ manifest_version: 2, flows });
const faults = (value: unknown) =>
  ManifestV2.safeParse(value).error?.issues.map((issue) => issue.message) ?? [];

describe('manifest v1', () => {
  it('takes the frozen form and ignores what it does not know', () => {
    const parsed = ManifestV1.parse({ ...v1, cpu_arch: 'x86_64', later: { added: true } });
    expect(parsed).toEqual({ ...v1, cpu_arch: 'x86_64' });
  });
  it('makes the digest lower case', () => {
    expect(ManifestV1.parse({ ...v1, sha256: 'AB'.repeat(32) }).sha256).toBe('ab'.repeat(32));
  });
  it.each(['edge_url', 'sha256', 'runtime'])('requires %s', (name) => {
    expect(ManifestV1.safeParse({ ...v1, [name]: undefined }).success).toBe(false);
  });
  it.each(['../x.py', '/x.py', 'a\\b.py', 'C:x', 'a//b', './a'])(
    'refuses the entrypoint %s',
    (entrypoint) => {
      expect(ManifestV1.safeParse({ ...v1, entrypoint }).success).toBe(false);
    },
  );
});

describe('manifest v2', () => {
  it('fills the defaults of the contract', () => {
    expect(ManifestV2.parse(manifest(flow)).flows[0]).toEqual({
      ...flow,
      cpu_arch: 'any',
      args: [],
      env: {},
      secrets: [],
      depends_on: [],
      retries: 0,
      overlap: 'queue',
      missed: 'skip',
      targets: {},
    });
  });
  it('refuses what it does not know', () => {
    expect(faults(manifest({ ...flow, shedule: '* * * * *' }))[0]).toContain('shedule');
    expect(faults({ ...manifest(flow), extra: 1 })[0]).toContain('extra');
  });
  it.each(['health', '/a b', '/日本'])('refuses to ask a service for %s', (path) => {
    for (const service of [{ ready: path }, { live: path }])
      expect(faults(manifest({ ...flow, service }))[0]).toContain('such as /health');
  });
  it('refuses an id given twice', () => {
    expect(faults(manifest(flow, flow))).toEqual(['expected each flow id once, found "invoice-bot" again']);
  });
  it('refuses a dependency that is not there, or on itself', () => {
    expect(faults(manifest({ ...flow, depends_on: ['login'] }))[0]).toContain('found "login"');
    expect(faults(manifest({ ...flow, depends_on: ['invoice-bot'] }))[0]).toContain('found "invoice-bot"');
  });
  it('refuses a cycle and shows it', () => {
    const a = { ...flow, id: 'a', depends_on: ['b'] };
    const b = { ...flow, id: 'b', depends_on: ['c'] };
    const c = { ...flow, id: 'c', depends_on: ['b'] };
    expect(faults(manifest(a, b, c))).toEqual(['expected no cycle in depends_on, found b → c → b']);
  });
  it('walks a chain of 10,000 flows', () => {
    const chain = Array.from({ length: 10_000 }, (_, index) => {
      return { id: `f${index}`, depends_on: index === 9_999 ? [] : [`f${index + 1}`] };
    });
    expect(dependencyCycle(chain)).toBeNull();
  });
});
