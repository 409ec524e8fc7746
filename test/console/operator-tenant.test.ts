import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import { formatUploadMetadata } from '../../schemas/upload-metadata.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  runReport,
  startConsole,
} from './running-console.ts';

let running: RunningConsole;
let ours: EnrolledAgent;
let twin: EnrolledAgent;
let theirs: EnrolledAgent;
let uploadId: string;
const shared = runReport({ stdout: 'hello\n' });
const unique = runReport({ stdout: 'once\n' });

const report = async (agent: EnrolledAgent, body: RunReport) => {
  const headers = { 'idempotency-key': `${body.run_id}.${body.attempt}` };
  const response = await call(agent, 'POST', `${running.url}/edge/notify`, body, headers);
  expect(response.status).toBe(201);
};
const ask = async (path: string, method = 'GET') => {
  const response = await fetch(running.url + path, { method, headers: { 'x-api-key': running.apiKey } });
  const text = await response.text();
  return { status: response.status, text };
};

beforeAll(async () => {
  running = await startConsole();
  await addTenant(running, 'acme');
  await addTenant(running, 'globex');
  [ours, twin, theirs] = await Promise.all([
    enrolAgent(running, 'acme'),
    enrolAgent(running, 'acme'),
    enrolAgent(running, 'globex'),
  ]);
  await report(ours, shared);
  await report(ours, unique);
  // A run id is chosen by whoever signs the command, or by the agent: another may well report the same.
  await report(theirs, { ...shared, stdout: 'EVIL' });
  const made = await call(ours, 'POST', `${running.url}/edge/uploads`, undefined, {
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
  uploadId = made.headers.get('location')?.split('/').at(-1) as string;
});
afterAll(async () => running[Symbol.asyncDispose]());

describe('a run that two agents have reported', () => {
  it('is the tenant’s own for who asks for the tenant', async () => {
    for (const [tenant, stdout] of [
      ['acme', 'hello\n'],
      ['globex', 'EVIL'],
    ]) {
      const { status, text } = await ask(`/api/runs/${shared.run_id}?tenant=${tenant}`);
      expect([status, (JSON.parse(text) as RunReport).stdout]).toEqual([200, stdout]);
    }
    expect((await ask(`/api/runs/${unique.run_id}?tenant=globex`)).status).toBe(404);
  });

  it('is not the last one that came for who does not say which', async () => {
    const { status, text } = await ask(`/api/runs/${shared.run_id}`);
    expect(status).toBe(409);
    expect(text).toContain('run_ambiguous');
    expect(text).not.toContain('EVIL');
    const one = await ask(`/api/runs/${shared.run_id}?agent=${ours.issuer}`);
    expect((JSON.parse(one.text) as RunReport).stdout).toBe('hello\n');
    expect((await ask(`/api/runs/${shared.run_id}?agent=${ours.issuer}&tenant=globex`)).status).toBe(404);
    expect((await ask(`/api/runs/${unique.run_id}`)).status).toBe(200);
  });

  it('of one tenant is asked for by its agent', async () => {
    const both = runReport();
    await report(ours, both);
    await report(twin, both);
    expect((await ask(`/api/runs/${both.run_id}?tenant=acme`)).status).toBe(409);
    expect((await ask(`/api/runs/${both.run_id}?agent=${twin.issuer}`)).status).toBe(200);
  });
});

/** Every address of an operator that names something of one tenant. */
const single = () => [
  ['GET', `/api/agents/${ours.issuer}`],
  ['GET', `/api/agents/${ours.issuer}/uploads`],
  ['GET', `/api/agents/${ours.issuer}/commands`],
  ['POST', `/api/agents/${ours.issuer}/commands`],
  ['GET', `/api/agents/${ours.issuer}/runs`],
  ['GET', `/api/agents/${ours.issuer}/runs/${unique.run_id}/logs`],
  ['GET', `/api/agents/${ours.issuer}/runs/${unique.run_id}/log`],
  ['GET', `/api/runs/${unique.run_id}`],
  ['GET', `/api/uploads/${uploadId}`],
  ['DELETE', `/api/uploads/${uploadId}`],
];
const lists = ['/api/tenants', '/api/agents', '/api/events', '/api/runs'];

describe('?tenant=', () => {
  it('hides what is another tenant’s at every address', async () => {
    for (const [method, path] of single()) {
      const { status, text } = await ask(`${path}?tenant=globex`, method);
      expect([method, path, status, text]).toEqual([method, path, 404, expect.any(String)]);
    }
    for (const path of lists) {
      expect((await ask(`${path}?tenant=nobody`)).text).toMatch(/^\{"[a-z]+":\[\]/);
    }
    expect((await ask(`/api/uploads/${uploadId}?tenant=acme`)).status).toBe(200);
    expect((await ask(`/api/agents/${ours.issuer}?tenant=acme`)).status).toBe(200);
  });

  it('is not guessed at when it is misspelt, or said twice', async () => {
    for (const query of ['tennant=globex', 'tenant=globex&tenant=acme', 'tenant=', 'tenant=..%2Facme']) {
      for (const [method, path] of [...single(), ...lists.map((path) => ['GET', path])]) {
        const { status, text } = await ask(`${path}?${query}`, method);
        expect([path, query, status, text]).toEqual([
          path,
          query,
          400,
          expect.stringContaining('query_invalid'),
        ]);
      }
    }
    expect((await ask(`/api/uploads/${uploadId}`)).status).toBe(200);
  });
});
