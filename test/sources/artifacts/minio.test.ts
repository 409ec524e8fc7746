import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BundleSourceOptions, createBundleSource } from '../../../sources/artifacts/bundle-source.ts';
import { createSystemClock } from '../../../system/clock.ts';
import { createHttpClient, type HttpClient } from '../../../system/http-client.ts';
import { bundleSourceContract } from '../../contract/bundle-source.ts';
import { makeCertificate, type TestCertificate } from '../../support/certificate.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { memoryDownload } from '../../support/memory-download.ts';
import { MINIO_KEYS, type MinioServer, startMinio } from '../../support/minio-server.ts';
import { requirePart } from '../../support/parts.ts';

const binary = requirePart('minio');

describe.skipIf(binary === null)('a real MinIO', () => {
  let certificate: TestCertificate;
  let minio: MinioServer;
  let client: HttpClient;
  beforeAll(async () => {
    certificate = makeCertificate('minio.test');
    minio = await startMinio(binary as string, certificate);
    client = createHttpClient({ userAgent: 'edge-agent/test', environment: {}, caFile: certificate.caFile });
  }, 180_000);
  afterAll(async () => {
    client.close();
    await minio[Symbol.asyncDispose]();
    certificate[Symbol.dispose]();
  });

  const source = (more: Partial<BundleSourceOptions> = {}) =>
    createBundleSource({
      client,
      allow: ['s3://edge-artifacts'],
      endpoint: minio.endpoint,
      region: 'us-east-1',
      credentials: async () => MINIO_KEYS,
      maxBytes: 1_024 * 1_024,
      clock: createSystemClock(),
      ...more,
    });

  bundleSourceContract('s3:// with Signature V4 over TLS', async () => ({
    source: source(),
    async publish(name, content) {
      await minio.put('edge-artifacts', name, content);
      return `s3://edge-artifacts/${name.split('/').map(encodeURIComponent).join('/')}`;
    },
    elsewhere: 's3://other-bucket/a',
    close: async () => {},
  }));

  const content = randomBytes(50_000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const fetchFrom = (url: string, more: Partial<BundleSourceOptions> = {}) => {
    const { signal } = new AbortController();
    return source(more).fetch({ flow: 'a', url, sha256, size: null }, memoryDownload(sha256), { signal });
  };
  const fetched = { kind: 'fetched', bytes: 50_000 };

  test('refuses wrong keys and no keys: a person must act', async () => {
    await minio.put('edge-artifacts', 'closed', content);
    const wrong = { ...MINIO_KEYS, secret_key: 'not-the-secret' };
    const refused = { kind: 'stalled', code: 'credentials_refused' };
    const outcome = await fetchFrom('s3://edge-artifacts/closed', { credentials: async () => wrong });
    expect(outcome).toMatchObject({ ...refused, message: expect.stringContaining('SignatureDoesNotMatch') });
    expect(await fetchFrom('s3://edge-artifacts/closed', { credentials: async () => null })).toMatchObject(
      refused,
    );
  });

  test('serves an https URL under the endpoint, signed, and an open bucket to anybody', async () => {
    await minio.put('edge-artifacts', "signed (1)!'*", content);
    await minio.open('open-artifacts');
    await minio.put('open-artifacts', 'open', content);
    const allow = [`${minio.endpoint}/edge-artifacts`, `${minio.endpoint}/open-artifacts`];
    expect(await fetchFrom(`${minio.endpoint}/edge-artifacts/signed (1)!'*`, { allow })).toEqual(fetched);
    const anonymous = { allow, endpoint: null, credentials: async () => null };
    expect(await fetchFrom(`${minio.endpoint}/open-artifacts/open`, anonymous)).toEqual(fetched);
    expect(await fetchFrom(`${minio.endpoint}/edge-artifacts/signed (1)!'*`, anonymous)).toMatchObject({
      kind: 'stalled',
      code: 'credentials_refused',
    });
  });

  test.each([-3_600_000, 3_600_000, -7 * 365 * 86_400_000])(
    'lets in a machine whose clock is off by %i ms, by the time of its own answer',
    async (offMs) => {
      await minio.put('edge-artifacts', 'late', content);
      const clock = { ...createSystemClock(), now: () => new Date(Date.now() + offMs) };
      expect(await fetchFrom('s3://edge-artifacts/late', { clock })).toEqual(fetched);
    },
  );

  test('is asked no third time when the right time did not help', async () => {
    const clock = { ...createSystemClock(), now: () => new Date(Date.now() - 3_600_000) };
    const credentials = async () => ({ access_key: 'nobody', secret_key: 'nothing' });
    expect(await fetchFrom('s3://edge-artifacts/late', { clock, credentials })).toMatchObject({
      kind: 'stalled',
      code: 'credentials_refused',
      message: expect.stringContaining('InvalidAccessKeyId'),
    });
  });

  test('is reached through a CONNECT proxy, signed for the name it is called by', async () => {
    await minio.put('edge-artifacts', 'proxied', content);
    await using proxy = await startConnectProxy();
    const environment = { HTTPS_PROXY: proxy.url };
    const proxied = createHttpClient({
      userAgent: 'edge-agent/test',
      environment,
      caFile: certificate.caFile,
    });
    const endpoint = `https://minio.test:${minio.port}`;
    expect(await fetchFrom('s3://edge-artifacts/proxied', { client: proxied, endpoint })).toEqual(fetched);
    expect(proxy.asked).toEqual([`CONNECT minio.test:${minio.port}`]);
    proxied.close();
  });
});
