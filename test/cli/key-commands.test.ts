import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PrivateJwk, PublicJwk } from '../../schemas/jws.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { publicPart, thumbprint } from '../../trust/thumbprint.ts';
import { type Ended, edgeAgent } from './edge-agent.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'keys-'));
});
afterAll(async () => rm(cwd, { recursive: true, force: true }));

const run = (...args: string[]): Promise<Ended> => edgeAgent(args, { cwd });
const typing = (input: string, ...args: string[]): Promise<Ended> => edgeAgent(args, { cwd, input });
const read = async (name: string) => readFile(join(cwd, name), 'utf8');

describe('edge-agent keys', () => {
  it('makes a private key that nobody else can read, and keeps it when asked for another under that name', async () => {
    const made = await run('keys', 'new', '--out', 'ann.jwk', '--output', 'json');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const key = PrivateJwk.parse(JSON.parse(await read('ann.jwk')));
    expect(made.json()).toEqual({
      kid: thumbprint(key),
      file: 'ann.jwk',
      public_file: 'ann.pub.jwk',
      public_jwk: { kty: 'OKP', crv: 'Ed25519', x: key.x, kid: thumbprint(key) },
    });
    expect((await stat(join(cwd, 'ann.jwk'))).mode & 0o777).toBe(0o600);

    expect(JSON.parse(await read('ann.pub.jwk'))).toEqual(publicPart(key));

    const again = await run('keys', 'new', '--out', 'ann.jwk');
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--force');
    expect(PrivateJwk.parse(JSON.parse(await read('ann.jwk')))).toEqual(key);

    expect(await run('keys', 'new', '--out', 'ann.jwk', '--force')).toMatchObject({ code: 0 });
    expect(PrivateJwk.parse(JSON.parse(await read('ann.jwk')))).not.toEqual(key);
  });

  it('shows of a key what others may have, as the file to hand on, and no more', async () => {
    const key = newKey();
    await writeFile(join(cwd, 'ben.jwk'), JSON.stringify(key), { mode: 0o600 });
    const shown = await run('keys', 'show', 'ben.jwk');
    expect(PublicJwk.parse(shown.json())).toEqual({ kty: 'OKP', crv: 'Ed25519', x: key.x, kid: key.kid });
    expect(shown.stdout + shown.stderr).not.toContain(key.d);
    expect((await run('keys', 'show', 'ben.jwk', '--output', 'json')).json()).toEqual(shown.json());
  });

  it('says of a file that is no key what it expected, and nothing of what is in it', async () => {
    const { d, ...half } = newKey();
    await writeFile(join(cwd, 'half.jwk'), JSON.stringify({ ...half, d: `${d}!` }));
    const shown = await run('keys', 'show', 'half.jwk', '--output', 'json');
    expect(shown.code).toBe(2);
    expect(shown.json()).toMatchObject({ error: { code: 'key_unusable' } });
    expect(shown.stdout + shown.stderr).not.toContain(d);
    expect(await run('keys', 'show', 'nowhere.jwk')).toMatchObject({ code: 2, stdout: '' });
  });

  it('seals a key with a passphrase, and opens it for nobody else', async () => {
    const passphrase = 'fence orbit salad tulip 9 engine';
    const made = await typing(`${passphrase}\n`, 'keys', 'new', '--passphrase', '--out', 'cai.jwk');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const text = await read('cai.jwk');
    expect(JSON.parse(Buffer.from(text.split('.')[0] as string, 'base64url').toString())).toMatchObject({
      alg: 'PBES2-HS512+A256KW',
      enc: 'A256GCM',
      cty: 'jwk+json',
      p2c: 600_000,
    });
    expect((await stat(join(cwd, 'cai.jwk'))).mode & 0o777).toBe(0o600);
    const known = PublicJwk.parse(JSON.parse(await read('cai.pub.jwk')));
    expect((await typing(`${passphrase}\r\nnext\n`, 'keys', 'show', 'cai.jwk')).json()).toEqual(known);

    const again = await typing('', 'keys', 'new', '--passphrase', '--out', 'cai.jwk');
    expect(again).toMatchObject({ code: 2 });
    expect(again.stderr).toContain('cai.jwk: expected no file yet');

    const wrong = await typing(`${passphrase} \n`, 'keys', 'show', 'cai.jwk');
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('cai.jwk: expected the passphrase that the key was made with');
    const none = await typing('', 'keys', 'show', 'cai.jwk');
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('expected the passphrase of cai.jwk on standard input');
    await writeFile(
      join(cwd, 'changed.jwk'),
      text.replace(/.(?=\s*$)/, (last) => (last === 'A' ? 'Q' : 'A')),
    );
    expect(await typing(`${passphrase}\n`, 'keys', 'show', 'changed.jwk')).toMatchObject({ code: 2 });
  });

  it('cuts no passphrase short, which another one would open then', async () => {
    const made = await typing(`${'x'.repeat(1_025)}\n`, 'keys', 'new', '--passphrase', '--out', 'eve.jwk');
    expect([made.code, made.stderr]).toEqual([
      2,
      expect.stringMatching(/expected at most 1024 characters, found 1025/) as string,
    ]);
  });

  it('makes no key under a passphrase that a guess would find', async () => {
    const made = await typing('summer2026\n', 'keys', 'new', '--passphrase', '--out', 'dan.jwk');
    expect(made).toMatchObject({ code: 2, stdout: '' });
    expect(made.stderr).toContain('12 characters or more');
    await expect(stat(join(cwd, 'dan.jwk'))).rejects.toThrow('ENOENT');
  });

  it('opens no key that asks for years of work, or for another algorithm', async () => {
    const header = (change: object) =>
      Buffer.from(
        JSON.stringify({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2s: 'AAAA', ...change }),
      ).toString('base64url');
    for (const change of [
      { p2c: 2 ** 31 },
      { p2c: 1_000, alg: 'PBES2-HS256+A128KW' },
      { p2c: 1_000, enc: 'A128CBC-HS256' },
      { alg: 'dir' },
    ]) {
      await writeFile(join(cwd, 'greedy.jwk'), `${header(change)}.AAAA.AAAA.AAAA.AAAA\n`);
      const shown = await typing('any passphrase at all\n', 'keys', 'show', 'greedy.jwk');
      expect(shown).toMatchObject({ code: 2, stdout: '' });
    }
  });
});
