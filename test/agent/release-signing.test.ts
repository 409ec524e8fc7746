import { chmod } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addReleaseSignature,
  combineReleaseFiles,
  type ReleaseOrder,
  showReleaseFile,
  signReleaseFile,
} from '../../agent/release-signing.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { createReleaseVerifier } from '../../trust/release-verifier.ts';
import {
  daysFromNow,
  EMPTY,
  FAR,
  firstRoot,
  NOW,
  release,
  signRoot,
  snapshot,
} from '../trust/signed-files.ts';
import { type CeremonyFolder, ceremonyFolder, failureOf } from './ceremony-folder.ts';

const MANIFEST = `{"edge_url":"https://a.example/b.tar.gz","sha256":"${'a'.repeat(64)}","runtime":"python"}\n`;
const [ann, one, two, foreign] = [newKey(), newKey(), newKey(), newKey()];
const FILES = ['manifest.json', 'agent-policy.yaml', 'release.jws.json'];

let folder: CeremonyFolder;
let rootText: string;
beforeEach(async () => {
  folder = await ceremonyFolder();
  rootText = serialiseDocument(await firstRoot({ root: [ann], release: [one, two] }, { release: 2 }));
  await folder.write('root.json', rootText);
  await folder.write('manifest.json', MANIFEST);
  await folder.keep('one', one);
  await folder.keep('two', two);
  await folder.keep('foreign', foreign);
});
afterEach(async () => folder[Symbol.asyncDispose]());

const at = (name: string) => folder.at(name);
const sign = async ({ keys = ['one'], ...change }: Partial<ReleaseOrder> = {}) =>
  signReleaseFile({
    manifest: at('manifest.json'),
    policy: null,
    root: at('root.json'),
    keys: keys.map((name) => at(`${name}.jwk`)),
    tenant: 'acme',
    seq: null,
    previous: null,
    issued: daysFromNow(-1),
    expires: daysFromNow(60),
    version: null,
    minAgent: null,
    out: null,
    ...change,
  });
const add = async (change: Partial<Parameters<typeof addReleaseSignature>[0]> = {}) =>
  addReleaseSignature({
    file: at('release.jws.json'),
    keys: [at('two.jwk')],
    root: at('root.json'),
    manifest: null,
    policy: null,
    out: null,
    ...change,
  });
const verdict = async () => {
  const { verify } = createReleaseVerifier({ mode: 'required', tenant: 'acme', pinnedRoot: rootText });
  const files = await Promise.all(FILES.map(async (name) => [name, await folder.read(name)] as const));
  return verify(snapshot(Object.fromEntries(files)), EMPTY, NOW);
};

describe('signing a release', () => {
  it('leads two signers to a release that agents take, and counts the next one on', async () => {
    await folder.write('agent-policy.yaml', 'version: 1\nruns:\n  concurrency: 4\n');
    const policy = at('agent-policy.yaml');
    const first = await sign({ policy, version: 'v1.0.7', minAgent: '0.1.0' });
    expect(first).toMatchObject({
      statement: { tenant: 'acme', seq: 1, root_version: 1, version: 'v1.0.7', min_agent: '0.1.0' },
      signatures: { threshold: 2, signed: [one.kid], missing: [two.kid], met: false },
    });
    expect(first.warnings.join('\n')).toContain('release sign --add');
    expect(await verdict()).toMatchObject({ kind: 'refused', code: 'threshold_not_met' });

    const added = await add({ manifest: at('manifest.json'), policy });
    expect(added).toMatchObject({
      statement: first.statement,
      signatures: { met: true, missing: [] },
      warnings: [],
    });
    expect(await verdict()).toMatchObject({ kind: 'verified', statement: { seq: 1 } });

    const second = await sign({ keys: ['one', 'two'], policy, tenant: null });
    expect(second).toMatchObject({
      statement: { seq: 2, tenant: 'acme' },
      signatures: { met: true },
      warnings: [],
    });
    expect(await showReleaseFile(at('release.jws.json'), at('root.json'))).toEqual(second);
    expect(await verdict()).toMatchObject({ kind: 'verified', statement: { seq: 2 } });
  });

  it('brings together what was signed apart, by the digest that was read out, and loses no signature', async () => {
    await folder.write('agent-policy.yaml', 'version: 1\n');
    const first = await sign({ policy: at('agent-policy.yaml') });
    const apart = await add({ out: at('two.json'), expect: first.payload_sha256.slice(0, 16) });
    expect(apart.payload_sha256).toBe(first.payload_sha256);
    expect(await verdict()).toMatchObject({ kind: 'refused', code: 'threshold_not_met' });
    const files = [at('release.jws.json'), at('two.json')];
    const whole = await combineReleaseFiles(files, at('release.jws.json'), { root: at('root.json') });
    expect(whole).toMatchObject({ signatures: { met: true, missing: [] }, warnings: [] });
    expect(await verdict()).toMatchObject({ kind: 'verified', statement: { seq: 1 } });

    const other = add({ expect: '0'.repeat(64) });
    expect(await failureOf(other)).toMatch(
      /^2 .*it is not the document that was read out; nothing was signed/,
    );
    await sign({ out: at('next.json') });
    const lost = combineReleaseFiles([at('next.json'), at('next.json')], at('release.jws.json'));
    expect(await failureOf(lost)).toMatch(/^2 .*release\.jws\.json: .*found another one/);
    expect(await failureOf(combineReleaseFiles([at('two.json')], at('x.json')))).toMatch(/^2 .*two or more/);
  });

  it('refuses a manifest or a policy that agents would not take, at its line, and writes nothing', async () => {
    await folder.write('manifest.json', MANIFEST.replace('"runtime":"python"', '\n"runtime":"pyhton"'));
    expect(await failureOf(sign())).toMatch(/^4 \S+\/manifest\.json:2:/);
    await folder.write('manifest.json', '{"manifest_version":2,"flows":[]}');
    expect(await failureOf(sign())).toMatch(/^4 .*allow_empty/);
    await folder.write('manifest.json', MANIFEST);
    await folder.write('agent-policy.yaml', 'version: 1\ntrust: {}\n');
    expect(await failureOf(sign({ policy: at('agent-policy.yaml') }))).toMatch(
      /^4 \S+\/agent-policy\.yaml:2:1/,
    );
    await expect(folder.read('release.jws.json')).rejects.toThrow('ENOENT');
  });

  it('counts on from no release that no release key has signed', async () => {
    await folder.write('release.jws.json', await release([foreign], { seq: Number.MAX_SAFE_INTEGER - 1 }));
    expect(await failureOf(sign())).toMatch(/^2 .*--seq/);
    expect((await sign({ seq: 7 })).statement.seq).toBe(7);
  });

  it('counts on from no release of another tenant', async () => {
    await folder.write('release.jws.json', await release([one], { tenant: 'globex', seq: 3 }));
    expect(await failureOf(sign())).toMatch(/^2 .*globex/);
  });

  it('warns of a key that others can read, a policy that is not bound and a first seq', async () => {
    await folder.write('agent-policy.yaml', 'version: 1\n');
    await chmod(at('one.jwk'), 0o644);
    const told = (await sign()).warnings.join('\n');
    for (const words of ['found 0644', '--policy', 'seq 1']) expect(told).toContain(words);
  });

  it('refuses a key outside the role and writes nothing', async () => {
    const failure = await failureOf(sign({ keys: ['foreign'] }));
    expect(failure).toMatch(/^2 .*foreign\.jwk/);
    expect(failure).toContain(foreign.kid);
    await expect(folder.read('release.jws.json')).rejects.toThrow('ENOENT');
  });

  it('adds no signature to a release of other files than the signer has looked at', async () => {
    await folder.write('release.jws.json', await release([one]));
    const before = await folder.read('release.jws.json');
    await folder.write('agent-policy.yaml', 'version: 1\n');
    expect(await failureOf(add({ manifest: at('manifest.json') }))).toMatch(/^2 .*not the file/);
    expect(await failureOf(add({ policy: at('agent-policy.yaml') }))).toMatch(/^2 .*not the file/);
    expect(await folder.read('release.jws.json')).toBe(before);
  });

  it('signs under no root that too few have signed, or that has expired', async () => {
    const draft = newRoot({
      expires: FAR,
      keys: { root: [ann, two], release: [one] },
      thresholds: { root: 2 },
    });
    for (const half of [draft, await signRoot(draft, [ann])]) {
      await folder.write('half.json', serialiseDocument(half));
      expect(await failureOf(sign({ root: at('half.json') }))).toMatch(
        /^2 .*half\.json: expected a root signed by 2/,
      );
    }
    const old = await firstRoot({ root: [ann], release: [one, two] }, {}, daysFromNow(-2));
    await folder.write('old.json', serialiseDocument(old));
    expect(await failureOf(sign({ root: at('old.json') }))).toMatch(/^2 .*expired.*root rotate/);
  });

  it('tells wrong use with exit 2', async () => {
    expect(await failureOf(sign({ tenant: null }))).toMatch(/^2 .*--tenant/);
    expect(await failureOf(sign({ tenant: 'Acme' }))).toMatch(/^2 .*tenant/);
    expect(await failureOf(sign({ keys: [] }))).toMatch(/^2 .*--key/);
    expect(await failureOf(sign({ version: 'CON' }))).toMatch(/^2 .*version/);
    expect(await failureOf(sign({ expires: daysFromNow(-3) }))).toMatch(/^2 .*expires/);
    await folder.write('release.jws.json', await release([one]));
    expect(await failureOf(add({ keys: [at('one.jwk')] }))).toMatch(/^2 .*has not signed/);
  });
});
