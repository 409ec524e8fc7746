import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { MINIO_KEYS, type MinioServer, startMinio } from '../support/minio-server.ts';
import { requirePart } from '../support/parts.ts';
import { createWorld, helloBundle, type World } from '../support/world.ts';

const binary = requirePart('minio');

describe.skipIf(binary === null)('a bundle in a real MinIO', () => {
  let certificate: TestCertificate;
  let minio: MinioServer;
  let world: World;
  const bundle = helloBundle('from the bucket');
  const manifest = (edge_url: string) => ({
    edge_url,
    sha256: bundle.sha256,
    runtime: 'python',
    version: 'v1',
  });

  beforeAll(async () => {
    certificate = makeCertificate('minio.e2e');
    minio = await startMinio(binary as string, certificate);
    await minio.put('edge-artifacts', 'acme/edge_pkg_42.tar.gz', bundle.bytes);
    await minio.put('private', 'edge_pkg_42.tar.gz', bundle.bytes);
    world = await createWorld();
    const keys = join(world.folder, 'credentials', 'artifacts.json');
    writeFileSync(keys, JSON.stringify(MINIO_KEYS), { mode: 0o600 });
    world.writeConfig({
      artifacts: { allow: ['s3://edge-artifacts/acme'], endpoint: minio.endpoint },
      network: { ca_file: certificate.caFile },
    });
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await minio[Symbol.asyncDispose]();
  });

  it('is refused from a bucket outside the allow-list', async () => {
    await world.release(manifest('s3://private/edge_pkg_42.tar.gz'));
    const refused = await world.reconcile();
    expect({ code: refused.code, error: refused.document.error?.code }).toEqual({
      code: 3,
      error: 'url_not_allowed',
    });
  });

  it('becomes active over TLS with an extra CA and signed requests, and runs', async () => {
    await world.release(manifest('s3://edge-artifacts/acme/edge_pkg_42.tar.gz'));
    const done = await world.reconcile();
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' });
    const run = await world.json('trigger', 'default', '--wait');
    expect(run.document).toMatchObject({ status: 'succeeded', stdout: 'from the bucket v1\n' });
  });

  it('says that the keys are wrong when they are', async () => {
    const wrong = { ...MINIO_KEYS, secret_key: 'not-the-secret' };
    writeFileSync(join(world.folder, 'credentials', 'artifacts.json'), JSON.stringify(wrong), {
      mode: 0o600,
    });
    const other = helloBundle('another');
    await minio.put('edge-artifacts', 'acme/other.tar.gz', other.bytes);
    const flow = {
      edge_url: 's3://edge-artifacts/acme/other.tar.gz',
      sha256: other.sha256,
      runtime: 'python',
      version: 'v2',
    };
    await world.release(flow);
    const refused = await world.reconcile();
    expect({ code: refused.code, error: refused.document.error?.code }).toEqual({
      code: 4,
      error: 'credentials_refused',
    });
    expect(refused.stdout + refused.stderr).not.toContain('not-the-secret');
    expect(world.current().flows['default']?.version).toBe('v1');
  });
});
