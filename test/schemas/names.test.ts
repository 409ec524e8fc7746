import { describe, expect, it } from 'vitest';
import { isStrictBase64url } from '../../schemas/jws.ts';
import { Slug, VersionName } from '../../schemas/names.ts';
import { urlFault } from '../../schemas/urls.ts';

describe('slugs', () => {
  it.each(['a', 'acme', 'acme-2', 'a'.repeat(63)])('takes %s', (name) =>
    expect(Slug.safeParse(name).success).toBe(true),
  );
  it.each(['', '-a', 'a-', 'Acme', 'a_b', 'a/b', '../x', 'a'.repeat(64), 'é'])('refuses %j', (name) => {
    expect(Slug.safeParse(name).success).toBe(false);
  });
});

describe('versions', () => {
  it.each(['v1.0.7', 'bld-42', '3f2a9c1d04be', '1.0+linux', 'A_b'])('takes %s', (name) => {
    expect(VersionName.safeParse(name).success).toBe(true);
  });
  it.each(['', '.hidden', 'v1.', 'a/b', '..', 'con', 'NUL.txt', 'lpt1', 'a b', 'v'.repeat(65)])(
    'refuses %j',
    (name) => {
      expect(VersionName.safeParse(name).success).toBe(false);
    },
  );
});

describe('base64url', () => {
  it.each(['', 'AA', 'AAA', 'AAAA', '-_8'])('takes %j', (text) => expect(isStrictBase64url(text)).toBe(true));
  it.each(['A', 'AA==', 'AB', 'A A', 'AA\n', 'AAB', 'a+b', 'a/bc'])('refuses %j', (text) => {
    expect(isStrictBase64url(text)).toBe(false);
  });
});

describe('URLs to call', () => {
  it.each(['https://git.example/a.git', 'http://127.0.0.1:8080/x', 'http://localhost/x', 'http://[::1]:1/'])(
    'takes %s',
    (url) => {
      expect(urlFault(url)).toBeNull();
    },
  );
  it.each([
    ['http://git.example/a', 'expected https (plain http only to loopback), found http://git.example'],
    [
      'http://127.0.0.1.evil.example/',
      'expected https (plain http only to loopback), found http://127.0.0.1.evil.example',
    ],
    ['ftp://x/', 'expected a URL with https:// or http://, found ftp://'],
    ['git.example', 'expected an absolute URL such as https://git.example/acme.git'],
  ])('refuses %s', (url, message) => expect(urlFault(url)).toBe(message));
  it('refuses credentials without repeating them', () => {
    const fault = urlFault('https://user:hunter2@git.example/');
    expect(fault).toContain('credentials_dir');
    expect(fault).not.toContain('hunter2');
  });
});
