import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatUploadMetadata } from '../../schemas/upload-metadata.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from './running-console.ts';

let running: RunningConsole;
let publisherToken: string;
let agent: EnrolledAgent;
let kept: Record<string, string>;

beforeAll(async () => {
  running = await startConsole();
  ({ publisherToken } = await addTenant(running, 'acme'));
  agent = await enrolAgent(running, 'acme');
  await writeFile(join(running.directory, 'victim.txt'), 'only for this machine');
  kept = await files();
});
afterAll(async () => running[Symbol.asyncDispose]());

/** What lies beside and above the folders of uploads, logs and artifacts, with its bytes; not the database, which changes. */
const files = async (): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const entry of await readdir(running.directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.name.startsWith('console.db')) found[path] = 'the database';
    else if (entry.isFile()) found[path] = await readFile(path, 'latin1');
  }
  return found;
};

/** Fastify decodes `%2F` in a parameter, so that one segment of an address may be a whole path. */
const PATHS = [
  '..%2Fconsole.key',
  '..%2F..%2Fvictim.txt',
  '..%2Fconsole.db',
  '..%5Cconsole.key',
  '%2E',
  '%00',
];

describe.each(PATHS)('the parameter %s', (path) => {
  it.each([
    ['DELETE', `/api/uploads/${path}`],
    ['GET', `/api/uploads/${path}`],
    ['GET', `/api/agents/${path}`],
    ['GET', `/api/agents/${path}/uploads`],
    ['GET', `/api/agents/${path}/commands`],
    ['POST', `/api/agents/${path}/commands`],
    ['GET', `/api/agents/${path}/runs`],
    ['GET', `/api/agents/${path}/runs/r/log`],
    ['GET', `/api/agents/<agent>/runs/${path}/log`],
    ['GET', `/api/runs/${path}`],
  ])('leads nowhere for an operator: %s %s', async (method, address) => {
    const response = await fetch(running.url + address.replace('<agent>', agent.issuer), {
      method,
      headers: { 'x-api-key': running.apiKey, 'content-type': 'text/plain' },
      ...(method === 'POST' ? { body: 'x' } : {}),
    });
    expect([400, 404]).toContain(response.status);
    expect(await response.text()).not.toContain('only for this machine');
    expect(await files()).toEqual(kept);
  });

  it.each([
    ['GET', `/git/${path}.git/info/refs?service=git-upload-pack`],
    ['GET', `/git/${path}/info/refs?service=git-upload-pack`],
    ['GET', `/raw/tenant/${path}/manifest.json`],
    ['GET', `/raw/tenant/acme/${path}`],
    ['GET', `/artifacts/${path}/victim.txt`],
    ['GET', `/artifacts/acme/${path}`],
    ['PUT', `/artifacts/${path}/console.key`],
    ['PUT', `/artifacts/acme/${path}`],
    ['POST', `/hooks/${path}`],
  ])('leads nowhere for a publisher: %s %s', async (method, address) => {
    const response = await fetch(running.url + address, {
      method,
      headers: { authorization: `Basic ${btoa(`token:${publisherToken}`)}` },
      ...(method === 'GET' ? {} : { body: 'x' }),
    });
    expect([400, 401, 403, 404]).toContain(response.status);
    expect(await response.text()).not.toContain('only for this machine');
    expect(await files()).toEqual(kept);
  });

  it.each(['HEAD', 'PATCH'])('leads nowhere for an agent: %s', async (method) => {
    const response = await call(agent, method, `${running.url}/edge/uploads/${path}`, undefined, {
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    });
    expect([400, 404]).toContain(response.status);
    expect(await files()).toEqual(kept);
  });
});

it('the id of an upload takes its file away, and no other', async () => {
  const made = await call(agent, 'POST', `${running.url}/edge/uploads`, undefined, {
    'tus-resumable': '1.0.0',
    'upload-length': '0',
    'upload-metadata': formatUploadMetadata({
      name: 'empty.txt',
      sha256: createHash('sha256').digest('hex'),
      kind: 'document',
      run_id: null,
      flow: null,
      purpose: null,
    }),
  });
  const id = made.headers.get('location')?.split('/').at(-1);
  expect(Object.keys(await files())).toContain(join(running.directory, 'data', 'uploads', id as string));
  const gone = await fetch(`${running.url}/api/uploads/${id}`, {
    method: 'DELETE',
    headers: { 'x-api-key': running.apiKey },
  });
  expect(gone.status).toBe(204);
  expect(await files()).toEqual(kept);
});
