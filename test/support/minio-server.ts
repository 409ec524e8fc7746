import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectPath, signatureHeaders } from '../../sources/artifacts/signature-v4.ts';
import { createHttpClient } from '../../system/http-client.ts';
import type { TestCertificate } from './certificate.ts';

const DEADLINE_MS = 20_000;
export const MINIO_KEYS = { access_key: 'edge-test', secret_key: 'edge-test-secret' };

export interface MinioServer {
  /** `https://localhost:<port>`, or `http://127.0.0.1:<port>` without a certificate. */
  readonly endpoint: string;
  readonly port: number;
  /** Makes the bucket when there is none, and puts the object by a signed PUT. */
  put(bucket: string, key: string, content: Uint8Array): Promise<void>;
  /** Anybody may read the bucket without keys. */
  open(bucket: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A real MinIO on a port of its own, with its data in a temporary folder. */
export async function startMinio(binary: string, tls?: TestCertificate): Promise<MinioServer> {
  const folder = await mkdtemp(join(tmpdir(), 'minio-'));
  const certificates = join(folder, 'certificates');
  await mkdir(certificates);
  if (tls !== undefined) {
    await copyFile(tls.keyFile, join(certificates, 'private.key'));
    await copyFile(tls.caFile, join(certificates, 'public.crt'));
  }
  const port = await freePort();
  const options = [
    '--quiet',
    '--address',
    `127.0.0.1:${port}`,
    '--console-address',
    '127.0.0.1:0',
    '--certs-dir',
    certificates,
  ];
  const child = spawn(binary, ['server', ...options, join(folder, 'data')], {
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      MINIO_ROOT_USER: MINIO_KEYS.access_key,
      MINIO_ROOT_PASSWORD: MINIO_KEYS.secret_key,
      MINIO_BROWSER: 'off',
    },
    stdio: 'ignore',
  });
  const endpoint = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const client = createHttpClient({ userAgent: 'edge-agent/test', environment: {}, caFile: tls?.caFile });
  const call = async (method: 'GET' | 'PUT', url: URL, body: Uint8Array = Buffer.alloc(0)) => {
    const payloadSha256 = createHash('sha256').update(body).digest('hex');
    const headers = signatureHeaders(
      { method, url, payloadSha256 },
      { ...MINIO_KEYS, region: 'us-east-1' },
      new Date(),
    );
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const sent = method === 'PUT' ? { body } : {};
    const response = await client.request({
      method,
      url,
      headers,
      signal,
      deadlineMs: 5_000,
      maxBytes: 100_000,
      ...sent,
    });
    return { status: response.status, text: await response.text() };
  };
  const expectStatus = async (allowed: readonly number[], ...request: Parameters<typeof call>) => {
    const { status, text } = await call(...request);
    if (!allowed.includes(status))
      throw new Error(`MinIO: ${request[0]} ${request[1].pathname} gave ${status}: ${text}`);
  };
  const until = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await call('GET', new URL('/', endpoint)).catch(() => null);
    if (answer?.status === 200) break;
    if (Date.now() > until || child.exitCode !== null) {
      await end(child);
      throw new Error(`expected MinIO to answer on ${endpoint}, found status ${answer?.status ?? 'none'}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    endpoint,
    port,
    async put(bucket, key, content) {
      await expectStatus([200, 409], 'PUT', new URL(`/${bucket}`, endpoint));
      await expectStatus(
        [200],
        'PUT',
        new URL(objectPath(new URL(endpoint), bucket, key), endpoint),
        content,
      );
    },
    async open(bucket) {
      await expectStatus([200, 409], 'PUT', new URL(`/${bucket}`, endpoint));
      const statement = {
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: `arn:aws:s3:::${bucket}/*`,
      };
      const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
      await expectStatus([200, 204], 'PUT', new URL(`/${bucket}?policy=`, endpoint), Buffer.from(policy));
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await end(child);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
