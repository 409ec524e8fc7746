import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  checkCertificates,
  findProgram,
  readToken,
  writeConfiguration,
} from '../../../sources/tunnel/client-files.ts';
import { frp } from '../../../sources/tunnel/frp.ts';
import { rathole } from '../../../sources/tunnel/rathole.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'client-files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string, mode = 0o600) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const missing = (...words: string[]) => ({
  kind: 'missing',
  message: expect.stringMatching(new RegExp(words.join('.*'), 's')),
});

describe('the token', () => {
  test('is one line, and its file is closed to others', async () => {
    const path = file('token', '  a token \n', 0o644);
    expect(await readToken(path)).toEqual({ kind: 'found', value: 'a token' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['\n', 'found nothing'],
    ['one\ntwo\n', 'found several lines'],
    ['x'.repeat(5_000), 'expected at most 4096 bytes, found 5000'],
  ])('is not %j', async (text, found) => {
    expect(await readToken(file('token', text))).toEqual(missing('token', found));
  });

  test('is asked for where its file is not there', async () => {
    expect(await readToken(join(folder, 'none'))).toEqual(missing('tunnel.token_file', 'found no such file'));
  });
});

describe('the certificates to believe', () => {
  const one = '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n';

  test('may be several for a client that reads them all', async () => {
    const path = file('ca.pem', one + one);
    expect(await checkCertificates(path, frp)).toEqual({ kind: 'found', value: path });
  });

  test('may not be several for a client that reads the first', async () => {
    expect(await checkCertificates(file('one.pem', one), rathole)).toMatchObject({ kind: 'found' });
    const several = await checkCertificates(file('ca.pem', one + one), rathole);
    expect(several).toEqual(missing('one certificate', 'found 2; rathole believes the first only'));
  });

  test('are asked for where there are none', async () => {
    expect(await checkCertificates(file('ca.pem', 'text'), frp)).toEqual(missing('certificates', 'found 0'));
    expect(await checkCertificates(join(folder, 'no'), frp)).toEqual(missing('ca_file', 'no such file'));
  });
});

describe('the program', () => {
  test('is the first on PATH that may be executed, in folders with whole names', async () => {
    for (const name of ['a', 'b', 'c']) mkdirSync(join(folder, name));
    file('a/frpc', '', 0o644);
    const [second] = [file('b/frpc', '', 0o755), file('c/frpc', '', 0o755)];
    const search = ['', '.', 'b', ...['a', 'b', 'c'].map((name) => join(folder, name))].join(delimiter);
    expect(await findProgram(frp, null, search)).toEqual({ kind: 'found', value: second });
  });

  test('is the named one, and no other', async () => {
    file('rathole', '', 0o755);
    const named = join(folder, 'named');
    expect(await findProgram(rathole, named, folder)).toEqual(missing(named, 'install rathole 0.5'));
    expect(await findProgram(frp, null, folder)).toEqual(missing('frpc on PATH', 'tunnel.binary'));
  });
});

test('a configuration is for this account alone, also where one was there before', async () => {
  const tunnel = join(folder, 'tunnel');
  const path = await writeConfiguration(tunnel, rathole, 'one');
  chmodSync(path, 0o644);
  expect(await writeConfiguration(tunnel, rathole, 'two')).toBe(join(tunnel, 'rathole.toml'));
  expect([statSync(tunnel).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
});
