import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseView } from '../../agent/release-signing.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { type CeremonyFolder, ceremonyFolder } from '../agent/ceremony-folder.ts';
import { firstRoot } from '../trust/signed-files.ts';
import { type Ended, edgeAgent } from './edge-agent.ts';

const MANIFEST = `{"edge_url":"https://a.example/b.tar.gz","sha256":"${'a'.repeat(64)}","runtime":"python"}\n`;
const [ann, one, two] = [newKey(), newKey(), newKey()];

let folder: CeremonyFolder;
beforeAll(async () => {
  folder = await ceremonyFolder();
  const root = await firstRoot({ root: [ann], release: [one, two] }, { release: 2 }, '2090-01-01T00:00:00Z');
  await folder.write('root.json', serialiseDocument(root));
  await folder.write('manifest.json', MANIFEST);
  await folder.keep('one', one);
  await folder.keep('two', two);
});
afterAll(async () => folder[Symbol.asyncDispose]());

const run = async (...args: string[]): Promise<Ended> =>
  edgeAgent(['release', ...args], { cwd: folder.path });
const SIGN = ['sign', '--manifest', 'manifest.json', '--root', 'root.json', '--output', 'json'];

describe('edge-agent release', () => {
  it('signs with what the command line says, adds a second signature and shows both', async () => {
    const options = ['--tenant', 'acme', '--seq', '7', '--expires', '90d', '--flow-version', 'v1.0.7'];
    const signed = await run(...SIGN, '--key', 'one.jwk', ...options, '--min-agent', '0.1.0');
    expect(signed).toMatchObject({ code: 0 });
    expect(signed.stderr).toContain(`warning: signed by 1 of the 2`);
    const { statement, file } = signed.json() as ReleaseView;
    expect(file).toBe('release.jws.json');
    expect(statement).toMatchObject({ tenant: 'acme', seq: 7, version: 'v1.0.7', min_agent: '0.1.0' });
    expect((Date.parse(statement.expires) - Date.parse(statement.issued)) / 86_400_000).toBe(90);

    const added = await run('sign', '--add', 'release.jws.json', '--key', 'two.jwk', '--output', 'json');
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect((added.json() as ReleaseView).statement).toEqual(statement);
    const shown = await run('show', 'release.jws.json', '--root', 'root.json');
    expect(shown.stdout).toContain('release 7 of acme');
    expect(shown.stdout).toContain('signed by 2 of the 2 release keys');
  });

  it('tells a manifest that agents would not take with exit 4, and wrong use with exit 2', async () => {
    await folder.write('wrong.json', MANIFEST.replace('python', 'pyhton'));
    const [manifest, both] = await Promise.all([
      run('sign', '--manifest', 'wrong.json', '--root', 'root.json', '--key', 'one.jwk', '--output', 'json'),
      run('sign', '--add', 'release.jws.json', '--key', 'one.jwk', '--seq', '8', '--output', 'json'),
    ]);
    expect(manifest).toMatchObject({ code: 4 });
    expect(manifest.json()).toMatchObject({
      error: { code: 'manifest_invalid', message: expect.stringMatching(/^wrong\.json:1:/) },
    });
    expect(both).toMatchObject({ code: 2 });
    expect(both.json()).toMatchObject({ error: { code: 'usage' } });
  });
});
