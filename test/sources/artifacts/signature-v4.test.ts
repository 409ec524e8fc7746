import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  EMPTY_SHA256,
  encodeStrictly,
  objectPath,
  signatureHeaders,
} from '../../../sources/artifacts/signature-v4.ts';

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const key = {
  access_key: 'AKIAIOSFODNN7EXAMPLE',
  secret_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};
const now = new Date('2013-05-24T00:00:00.123Z');
const host = 'https://examplebucket.s3.amazonaws.com';

test('signs the GET with a range of the specification', () => {
  const headers = { Range: 'bytes=0-9' };
  const url = new URL(`${host}/test.txt`);
  expect(signatureHeaders({ method: 'GET', url, headers, payloadSha256: EMPTY_SHA256 }, key, now)).toEqual({
    'x-amz-date': '20130524T000000Z',
    'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  });
});

test('signs the GET with a query and the GET with a bare one of the specification', () => {
  const signed = (query: string) =>
    signatureHeaders(
      { method: 'GET', url: new URL(`${host}/${query}`), payloadSha256: EMPTY_SHA256 },
      key,
      now,
    )['authorization'];
  expect(signed('?prefix=J&max-keys=2')).toContain(
    'Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  );
  expect(signed('?lifecycle')).toContain(
    'Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  );
});

test('signs the PUT of the specification', () => {
  const url = new URL(host + objectPath(new URL(host), '', 'test$file.text').replace('//', '/'));
  const payloadSha256 = createHash('sha256').update('Welcome to Amazon S3.').digest('hex');
  const headers = { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' };
  expect(
    signatureHeaders({ method: 'PUT', url, headers, payloadSha256 }, key, now)['authorization'],
  ).toContain('Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd');
});

test('property: a key comes through the path unchanged, encoded as RFC 3986 says', () => {
  const segment = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((text) => !/^\.{1,2}$|[/\0]/.test(text));
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
      const path = objectPath(new URL('https://minio.example/base/'), 'bucket', segments.join('/'));
      const url = new URL(path, 'https://minio.example');
      expect(url.pathname).toBe(path);
      expect(path).toMatch(/^\/base\/bucket\/(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*$/);
      expect(path.split('/').slice(3).map(decodeURIComponent)).toEqual(segments);
    }),
  );
  expect(encodeStrictly("a b!'()*~é")).toBe('a%20b%21%27%28%29%2A~%C3%A9');
});
