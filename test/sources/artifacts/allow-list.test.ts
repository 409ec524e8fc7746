import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAllowList } from '../../../sources/artifacts/allow-list.ts';

const allow = ['https://minio.example/edge-artifacts', 's3://bundles/acme/', 'https://cdn.example:8443'];
const list = createAllowList(allow, 'https://s3.example/base');

describe('allows', () => {
  test.each([
    'https://minio.example/edge-artifacts/edge_pkg_42.tar.gz',
    'https://MINIO.example:443/edge-artifacts/a/b?versionId=1',
    'https://minio.example/x/../edge-artifacts/a',
    'https://minio.example/%65dge-artifacts/a',
    'https://minio.example/edge-artifacts',
    'https://cdn.example:8443/anything/at/all',
    's3://bundles/acme/pkg.tar.gz',
    's3://bundles/acme/dir/été 1.tar.gz',
  ])('%s', (url) => {
    expect(list.allows(url)).toBeNull();
  });
});

describe('refuses', () => {
  test.each([
    ['another scheme', 'http://minio.example/edge-artifacts/a'],
    ['another host', 'https://evil.example/edge-artifacts/a'],
    ['a host that only begins alike', 'https://minio.example.evil.example/edge-artifacts/a'],
    ['a host with a dot at its end', 'https://minio.example./edge-artifacts/a'],
    ['another port', 'https://minio.example:8443/edge-artifacts/a'],
    ['the default port where another is listed', 'https://cdn.example/a'],
    ['a segment that only begins alike', 'https://minio.example/edge-artifacts-evil/a'],
    ['another case in the path', 'https://minio.example/Edge-Artifacts/a'],
    ['a step upwards', 'https://minio.example/edge-artifacts/../secrets'],
    ['an encoded step upwards', 'https://minio.example/edge-artifacts/%2e%2E/secrets'],
    ['a step upwards with a backslash', 'https://minio.example/edge-artifacts\\..\\secrets'],
    ['an encoded slash', 'https://minio.example/edge-artifacts%2Fa'],
    ['an encoded slash behind', 'https://minio.example/edge-artifacts/..%2fsecrets'],
    ['an encoded backslash', 'https://minio.example/edge-artifacts/..%5csecrets'],
    ['a NUL', 'https://minio.example/edge-artifacts/a%00'],
    ['a broken escape', 'https://minio.example/edge-artifacts/%zz'],
    ['a user name', 'https://me@minio.example/edge-artifacts/a'],
    ['the prefix as user info', 'https://minio.example%2Fedge-artifacts@evil.example/a'],
    ['another bucket', 's3://other/acme/a'],
    ['another prefix', 's3://bundles/globex/a'],
    ['a prefix that only begins alike', 's3://bundles/acme2/a'],
    ['a step upwards in a bucket', 's3://bundles/acme/../globex/a'],
    ['a bucket without a key', 's3://bundles'],
    ['a query on a key', 's3://bundles/acme/a?versionId=1'],
    ['a file', 'file:///edge-artifacts/a'],
    ['no URL', 'edge-artifacts/a'],
    ['the https form of what is listed as s3', 'https://s3.example/base/bundles/acme/a'],
  ])('%s', (_what, url) => {
    expect(list.allows(url)).toMatchObject({ kind: 'refused', code: 'url_not_allowed' });
  });

  test('an s3 URL when there is no endpoint to fetch it from, and says what to write', () => {
    expect(createAllowList(allow, null).allows('s3://bundles/acme/a')).toMatchObject({
      message: expect.stringContaining('artifacts.endpoint'),
    });
  });

  test('everything when the list is empty or cannot be read', () => {
    expect(createAllowList([], null).allows('https://minio.example/a')).toMatchObject({ kind: 'refused' });
    expect(createAllowList(['nonsense'], null).allows('https://minio.example/a')).toMatchObject({
      kind: 'refused',
    });
  });

  test('without repeating passwords or signatures', () => {
    const { message = '' } = list.allows('https://me:hunter2@evil.example/a?X-Amz-Signature=hunter2') ?? {};
    expect(message).toContain('https://evil.example/a');
    expect(message).not.toContain('hunter2');
  });
});

test('an object below the endpoint may be the hop of an s3 URL, and is sent to path style', () => {
  const url = list.requestUrl('s3://bundles/acme/été 1.tar.gz');
  expect(url.href).toBe('https://s3.example/base/bundles/acme/%C3%A9t%C3%A9%201.tar.gz');
  expect(list.allowsHop(url)).toBeNull();
  expect(list.underEndpoint(url)).toBe(true);
  expect(list.allowsHop(new URL('https://s3.example/base/bundles/globex/a'))).toMatchObject({
    kind: 'refused',
  });
  expect(list.underEndpoint(new URL('https://s3.example/based/bundles'))).toBe(false);
});

test('property: whatever is written, an allowed https URL really lies below a listed prefix', () => {
  const piece = fc.constantFrom(
    '/',
    '..',
    '.',
    '%2e',
    '%2f',
    '\\',
    'edge-artifacts',
    'a',
    '%65',
    '?',
    '#',
    '@',
    ':',
    '%',
    '//',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = `https://minio.example/${pieces.join('')}`;
      fc.pre(URL.canParse(text) && list.allows(text) === null);
      const { origin, pathname } = list.requestUrl(text);
      expect(origin).toBe('https://minio.example');
      expect(`${decodeURIComponent(pathname)}/`.startsWith('/edge-artifacts/')).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});
