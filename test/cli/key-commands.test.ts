import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PrivateJwk, PublicJwk } from '../../schemas/jws.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { thumbprint } from '../../trust/thumbprint.ts';
import { type Ended, edgeAgent } from './edge-agent.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'keys-'));
});
afterAll(async () => rm(cwd, { recursive: true, force: true }));

const run = (...args: string[]): Promise<Ended> => edgeAgent(args, { cwd });
const read = async (name: string) => readFile(join(cwd, name), 'utf8');

describe('edge-agent keys', () => {
  it('makes a private key that nobody else can read, and keeps it when asked for another under that name', async () => {
    const made = await run('keys', 'new', '--out', 'ann.jwk', '--output', 'json');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const key = PrivateJwk.parse(JSON.parse(await read('ann.jwk')));
    expect(made.json()).toEqual({
      kid: thumbprint(key),
      file: 'ann.jwk',
      public_jwk: { kty: 'OKP', crv: 'Ed25519', x: key.x, kid: thumbprint(key) },
    });
    expect((await stat(join(cwd, 'ann.jwk'))).mode & 0o777).toBe(0o600);

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
});
