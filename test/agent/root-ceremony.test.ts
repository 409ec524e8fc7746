import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  combineRootFiles,
  draftFirstRoot,
  draftNextRoot,
  showRootFile,
  signRootFile,
} from '../../agent/root-ceremony.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { sha256Hex } from '../../trust/jws.ts';
import { walkRoots } from '../../trust/root-walk.ts';
import { type CeremonyFolder, ceremonyFolder, failureOf } from './ceremony-folder.ts';

const keys = { ann: newKey(), ben: newKey(), cai: newKey(), rel: newKey(), dan: newKey() };
type Name = keyof typeof keys;
const kids = (...names: Name[]) => names.map((name) => keys[name].kid).sort();

let folder: CeremonyFolder;
beforeEach(async () => {
  folder = await ceremonyFolder();
  for (const [name, key] of Object.entries(keys)) await folder.keep(name, key);
});
afterEach(async () => folder[Symbol.asyncDispose]());

const at = (...names: string[]) => names.map((name) => folder.at(name));
const first = async (change: Partial<Parameters<typeof draftFirstRoot>[0]> = {}) =>
  draftFirstRoot({
    keys: { root: at('ann.pub', 'ben.pub', 'cai.pub'), release: at('rel.pub') },
    thresholds: { root: 2 },
    expires: '2090-01-31T00:00:00Z',
    out: folder.at('1.json'),
    force: false,
    ...change,
  });
const next = async (change: Partial<Parameters<typeof draftNextRoot>[0]> = {}) =>
  draftNextRoot({
    previous: folder.at('1.json'),
    add: {},
    remove: {},
    thresholds: {},
    expires: '2091-01-31T00:00:00Z',
    out: folder.at('2.json'),
    force: false,
    ...change,
  });
const sign = async (file: string, name: Name, options: { out?: string; previous?: string } = {}) =>
  signRootFile({
    file: folder.at(file),
    key: folder.at(`${name}.jwk`),
    out: options.out === undefined ? null : folder.at(options.out),
    previous: options.previous === undefined ? null : folder.at(options.previous),
  });

describe('the ceremony of a root', () => {
  it('leads two people, each on a copy, to a root that agents take', async () => {
    expect(await first()).toMatchObject({
      version: 1,
      complete: false,
      own: { threshold: 2, signed: [], missing: kids('ann', 'ben', 'cai') },
      roles: { root: { threshold: 2 }, release: { threshold: 1, keyids: kids('rel') } },
      warnings: [],
    });
    expect(await sign('1.json', 'ann', { out: 'a.json' })).toMatchObject({
      complete: false,
      own: { signed: kids('ann') },
    });
    expect(await sign('1.json', 'ben', { out: 'b.json' })).toMatchObject({
      complete: false,
      own: { signed: kids('ben') },
    });
    const root = await combineRootFiles(at('a.json', 'b.json'), folder.at('1.json'));
    expect(root).toMatchObject({ complete: true, own: { signed: kids('ann', 'ben'), missing: kids('cai') } });
    const text = await folder.read('1.json');
    expect(root.sha256).toBe(sha256Hex(Buffer.from(text)));
    expect(await walkRoots(text, [], new Map())).toMatchObject({ kind: 'walked', root: { version: 1 } });
  });

  it('leads on to the next root when old and new keys have signed it', async () => {
    await first();
    await sign('1.json', 'ann');
    await sign('1.json', 'ben');
    const draft = await next({ add: { root: at('dan.pub') }, remove: { root: [keys.cai.kid] } });
    expect(draft).toMatchObject({
      version: 2,
      own: { missing: kids('ann', 'ben', 'dan') },
      previous: { threshold: 2, met: false, missing: kids('ann', 'ben', 'cai') },
      roles: { root: { threshold: 2 }, release: { keyids: kids('rel') } },
    });
    await sign('2.json', 'dan');
    const half = await sign('2.json', 'ann', { previous: '1.json' });
    expect(half).toMatchObject({
      complete: false,
      own: { met: true },
      previous: { met: false, signed: kids('ann') },
    });
    await sign('2.json', 'ben');
    expect(await showRootFile(folder.at('2.json'), folder.at('1.json'))).toMatchObject({ complete: true });
    const published = new Map([['roots/2.root.jws.json', Buffer.from(await folder.read('2.json'))]]);
    const walk = await walkRoots(await folder.read('1.json'), [], published);
    expect(walk).toMatchObject({ kind: 'walked', root: { version: 2 } });
  });

  it('puts no private part of a key into a root, and no second draft over the first', async () => {
    const alone = { keys: { root: at('ann.jwk'), release: at('rel.jwk') }, thresholds: {} };
    expect((await first(alone)).warnings.join()).toContain('root threshold 1');
    const payload = Buffer.from(JSON.parse(await folder.read('1.json')).payload, 'base64url').toString();
    for (const { d } of [keys.ann, keys.rel]) expect(payload).not.toContain(d);
    expect(await failureOf(first())).toMatch(/^2 .*--force/);
    expect(await first({ force: true })).toMatchObject({ own: { threshold: 2 } });
  });

  it('takes no signature that counts for nothing, and leaves the file as it was', async () => {
    await first();
    await sign('1.json', 'ann');
    const [one, message] = [await folder.read('1.json'), `rel.jwk, which is ${keys.rel.kid}; sign with`];
    expect(await failureOf(sign('1.json', 'rel'))).toMatch(/^2 expected a root key of root 1, found /);
    expect(await failureOf(sign('1.json', 'rel'))).toContain(message);
    expect(await folder.read('1.json')).toBe(one);
    await next();
    const two = await folder.read('2.json');
    const wrong = sign('2.json', 'rel', { previous: '1.json' });
    expect(await failureOf(wrong)).toMatch(/^2 expected a root key of root 2 or 1, found /);
    expect(await folder.read('2.json')).toBe(two);
  });

  it('warns a signer whose signature counts only if the root before has the key', async () => {
    await first();
    await sign('1.json', 'ann');
    await sign('1.json', 'ben');
    await next();
    const signed = await sign('2.json', 'rel');
    expect(signed.own.signed).toEqual([]);
    expect(signed.warnings.join()).toContain(
      `${keys.rel.kid} is no root key of root 2; its signature counts`,
    );
  });

  it('warns of a root that one lost key would end', async () => {
    const both = { keys: { root: at('ann.pub', 'ben.pub'), release: at('rel.pub') } };
    expect((await first(both)).warnings.join()).toContain('root threshold 2 of 2: if one root key is lost');
  });

  it('says what a root changes, role by role, and one digest on every copy', async () => {
    const draft = await first();
    expect(draft.changes).toBeNull();
    const a = await sign('1.json', 'ann', { out: 'a.json' });
    const b = await sign('1.json', 'ben', { out: 'b.json' });
    expect(a.sha256).not.toBe(b.sha256);
    expect([a.payload_sha256, b.payload_sha256]).toEqual([draft.payload_sha256, draft.payload_sha256]);
    await combineRootFiles(at('a.json', 'b.json'), folder.at('1.json'));
    const changed = await next({
      add: { root: at('dan.pub'), trigger: at('ben.pub') },
      remove: { root: [folder.at('cai.pub')] },
      thresholds: { root: 3 },
    });
    expect(changed.changes).toEqual({
      expires: { from: '2090-01-31T00:00:00Z', to: '2091-01-31T00:00:00Z' },
      roles: [
        { role: 'root', added: kids('dan'), removed: kids('cai'), threshold: { from: 2, to: 3 } },
        { role: 'trigger', added: kids('ben'), removed: [], threshold: { from: null, to: 1 } },
      ],
    });
    expect((await next({ force: true })).changes?.roles).toEqual([]);
  });

  it('loses no signature and no other document under a name that is there', async () => {
    await first();
    await sign('1.json', 'ann', { out: 'a.json' });
    await sign('1.json', 'ben', { out: 'b.json' });
    await sign('1.json', 'cai', { out: 'c.json' });
    const lost = combineRootFiles(at('a.json', 'b.json'), folder.at('c.json'));
    expect(await failureOf(lost)).toMatch(/^2 .*c\.json: expected no signature that would be lost, found 1/);
    await next({ previous: folder.at('1.json') });
    const other = sign('1.json', 'ann', { out: '2.json' });
    expect(await failureOf(other)).toMatch(/^2 .*2\.json: .*copy of the same document, found another one/);
    await folder.write('notes.txt', 'buy milk');
    expect(await failureOf(sign('1.json', 'ann', { out: 'notes.txt' }))).toContain('found another one');
    expect(await folder.read('notes.txt')).toBe('buy milk');
    const whole = await combineRootFiles(at('a.json', 'b.json', 'c.json'), folder.at('c.json'));
    expect(whole.own.signed).toEqual(kids('ann', 'ben', 'cai'));
    await combineRootFiles(at('a.json', 'b.json'), folder.at('notes.txt'), { force: true });
  });

  it('tells wrong use with exit 2 and leaves files as they were', async () => {
    await first();
    const before = await folder.read('1.json');
    await folder.write('halves.jwk', JSON.stringify({ ...keys.ann, d: keys.ben.d }));
    const wrong = async (work: Promise<unknown>, words: string | RegExp) => {
      const told = await failureOf(work);
      expect(told).toMatch(/^2 /);
      expect(told).toMatch(words);
      expect(told).not.toContain(keys.ann.d);
    };
    const out = folder.at('new.json');
    await wrong(
      signRootFile({ file: folder.at('1.json'), key: folder.at('ann.pub'), out: null, previous: null }),
      'public half',
    );
    await wrong(
      signRootFile({ file: folder.at('1.json'), key: folder.at('halves.jwk'), out: null, previous: null }),
      'belong together',
    );
    await wrong(
      signRootFile({ file: folder.at('ann.pub'), key: folder.at('ann.jwk'), out: null, previous: null }),
      'ann.pub: expected a document of Edge-Agent, found a key (JWK)',
    );
    await wrong(next({ remove: { root: [keys.dan.kid] } }), keys.dan.kid);
    await wrong(next({ add: { root: at('ann.pub') } }), 'already');
    await wrong(first({ thresholds: { root: 4 }, out }), 'threshold');
    await wrong(first({ keys: { root: [], release: at('rel.pub') }, out }), '--root-key');
    await wrong(first({ keys: { root: at('nobody.pub'), release: at('rel.pub') }, out }), 'nobody.pub');
    await wrong(combineRootFiles(at('1.json'), out), 'two or more');
    expect(await folder.read('1.json')).toBe(before);
    await expect(folder.read('new.json')).rejects.toThrow('ENOENT');
  });
});
