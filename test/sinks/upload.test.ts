import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from '../console/running-console.ts';
import { someReport } from '../support/reporting.ts';
import { freePort, openUploading, type Relay, startRelay, type Uploading } from '../support/uploading.ts';

const signal = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let relay: Relay;
let running: RunningConsole;
let agent: EnrolledAgent;
beforeAll(async () => {
  relay = await startRelay();
  const port = await freePort();
  running = await startConsole({ publicUrl: relay.origin, port });
  relay.to(port);
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
});
afterAll(async () => {
  await running[Symbol.asyncDispose]();
  await relay[Symbol.asyncDispose]();
});

let made: Uploading;
let documents: string;
beforeEach(() => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'uploads-'));
  made = openUploading({ folder, caller: agent, saasUrl: relay.origin });
  documents = path.join(folder, 'documents');
  relay.cutAfter();
});
afterEach(() => {
  made.close();
  fs.rmSync(made.folder, { recursive: true, force: true });
});

const write = (name: string, bytes: Uint8Array | string, folder = documents) => {
  fs.writeFileSync(path.join(folder, name), bytes);
  return path.join(folder, name);
};
const add = async (...paths: string[]) => made.uploads.add(paths, 'for the books', 'anna', signal);
const stored = async () => {
  const answer = await fetch(`${relay.origin}/api/agents/${agent.issuer}/uploads`, {
    headers: { 'x-api-key': running.apiKey },
  });
  return (
    (await answer.json()) as { uploads: { upload_id: string; sha256: string; completed_at: string | null }[] }
  ).uploads;
};
const contentOf = async (digest: string) => {
  const upload = (await stored()).find((each) => each.sha256 === digest);
  const answer = await fetch(`${relay.origin}/api/uploads/${upload?.upload_id}`, {
    headers: { 'x-api-key': running.apiKey },
  });
  return answer.status === 200 ? Buffer.from(await answer.arrayBuffer()) : null;
};
const flush = async () => made.outbox.flushOnce({ deadlineMs: 20_000 });
const parked = () =>
  made.queue.overview({ kind: 'upload', parkedOnly: true, limit: 99 }).map((row) => row.parked);
const events = async (reason: string) =>
  (await made.eventLog.tail(99)).filter((event) => event.reason === reason).map((event) => event.message);
const finished = (runId: string, files: Record<string, Uint8Array | string>): RunReport => {
  const folder = made.outputFolder(runId);
  const outputs = Object.entries(files).map(([name, content]) => {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
    const bytes = Buffer.from(content);
    return { name, size: bytes.length, sha256: sha256(bytes) };
  });
  return someReport(runId, { outputs });
};

describe('a document', () => {
  test('arrives with its note, and its copy is removed', async () => {
    const bytes = randomBytes(300_000);
    const [added] = await add(write('scan.pdf', bytes));
    expect(added).toMatchObject({ name: 'scan.pdf', state: 'waiting', size: 300_000, sha256: sha256(bytes) });
    // What was given is what arrives, even when the original is gone.
    fs.rmSync(path.join(documents, 'scan.pdf'));
    await flush();
    expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
    expect((await stored()).find((each) => each.sha256 === sha256(bytes))).toMatchObject({
      purpose: 'for the books',
    });
    expect(made.uploads.states([added!])).toMatchObject([{ state: 'uploaded', sent: 300_000 }]);
    expect(await events('FileUploaded')).toEqual([
      expect.stringContaining('document scan.pdf (300000 bytes'),
    ]);
    expect(fs.readdirSync(path.join(made.folder, 'EdgeFlows/.agent/uploads'))).toEqual([]);
  });

  test('of no bytes arrives', async () => {
    await add(write('empty', ''));
    await flush();
    expect(await contentOf(sha256(Buffer.alloc(0)))).toEqual(Buffer.alloc(0));
  });

  test.each([0, 1, 700, 5_000, 65_000, 66_500, 131_000, 250_000])(
    'arrives whole when the connection is cut after %i bytes, again and again',
    async (cut) => {
      const bytes = randomBytes(300_000);
      relay.cutAfter(cut, cut, cut + 20_000);
      await add(write('scan.pdf', bytes));
      const before = relay.sent();
      const waits = () => made.queue.overview({ kind: 'upload', limit: 9 }).length > 0;
      for (let tries = 0; waits() && tries < 6; tries += 1) {
        await flush();
        made.outbox.hurry();
      }
      relay.cutAfter();
      expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
      // Resumed, not begun again: what was let through before the cuts was not all sent twice.
      expect(relay.sent() - before).toBeLessThan(300_000 + 3 * 70_000);
    },
  );

  test('goes on where it stood after the agent was killed', async () => {
    const bytes = randomBytes(400_000);
    relay.cutAfter(...Array.from({ length: 20 }, () => 120_000));
    await add(write('scan.pdf', bytes));
    await made.outbox.flushOnce({ deadlineMs: 300 });
    const { folder } = made;
    made.close();
    relay.cutAfter();
    made = openUploading({ folder, caller: agent, saasUrl: relay.origin });
    made.outbox.hurry();
    await flush();
    expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
  });

  test('that is asked for again while it is on its way keeps its copy', async () => {
    const [added] = await add(write('scan.pdf', randomBytes(10)));
    const row = made.queue.find('upload', `file/${added?.upload_id}`);
    made.uploads.consent.forget(row?.body as never);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await flush();
    expect(made.uploads.states([added!])).toMatchObject([{ state: 'uploaded' }]);
    expect(parked()).toEqual([]);
  });

  test('that was sent before is at once there', async () => {
    const bytes = randomBytes(200_000);
    await add(write('scan.pdf', bytes));
    await flush();
    const before = relay.sent();
    const [again] = await add(path.join(documents, 'scan.pdf'));
    await flush();
    expect(relay.sent() - before).toBeLessThan(10_000);
    expect(made.uploads.states([again!])).toMatchObject([{ state: 'uploaded' }]);
  });
});

describe('consent', () => {
  const codes = async (...paths: string[]) => (await add(...paths)).map((state) => state.code);

  test('is asked before anything is read, and nothing leaves without it', async () => {
    made.consent({ enabled: false, paths: ['documents'] });
    expect(await codes(write('a.txt', 'a'))).toEqual(['uploads_disabled']);
    expect(await events('FileUploadRefused')).toEqual([expect.stringContaining('uploads.enabled')]);
    expect(made.queue.totals().pending).toBeLessThan(2);
  });

  test('that is withdrawn keeps back what already waits, until it is given again', async () => {
    const bytes = randomBytes(1_000);
    const [added] = await add(write('a.txt', bytes));
    made.consent({ enabled: false });
    await flush();
    expect(parked()).toEqual([expect.stringMatching(/^uploads_disabled: /)]);
    expect(made.uploads.states([added!])).toMatchObject([{ state: 'refused', code: 'uploads_disabled' }]);
    made.consent({ enabled: true, paths: ['documents'] });
    expect(made.outbox.retryParked()).toBe(1);
    await flush();
    expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
  });

  test('covers no folder that was crossed out while its file waited', async () => {
    await add(write('a.txt', randomBytes(10)));
    made.consent({ enabled: true, paths: ['other'] });
    await flush();
    expect(parked()).toEqual([expect.stringMatching(/^path_not_allowed: /)]);
  });

  test('covers the folders that are written down and nothing else', async () => {
    const outside = write('outside.txt', 'x', made.folder);
    fs.mkdirSync(path.join(made.folder, 'documents-of-others'));
    const beside = write('a.txt', 'x', path.join(made.folder, 'documents-of-others'));
    fs.symlinkSync(outside, path.join(documents, 'link.txt'));
    fs.symlinkSync(made.folder, path.join(documents, 'up'));
    expect(
      await codes(
        outside,
        beside,
        path.join(documents, '..', 'outside.txt'),
        path.join(documents, 'link.txt'),
        path.join(documents, 'up', 'outside.txt'),
        '/etc/hostname',
        path.join(made.folder, 'is-not-there'),
      ),
    ).toEqual(Array.from({ length: 7 }, () => 'path_not_allowed'));
  });

  test('never covers the credentials, the state and agent.yaml, whatever is written down', async () => {
    made.consent({ enabled: true, paths: ['.', '/'] });
    const key = write('device.jwk', '{}', path.join(made.folder, 'credentials'));
    const config = write('agent.yaml', 'version: 1', made.folder);
    fs.symlinkSync(path.join(made.folder, 'credentials'), path.join(documents, 'mine'));
    expect(
      await codes(
        key,
        config,
        path.join(documents, 'mine', 'device.jwk'),
        path.join(made.folder, 'EdgeFlows/.agent/agent.db'),
      ),
    ).toEqual(Array.from({ length: 4 }, () => 'path_not_allowed'));
    expect((await add(write('fine.txt', 'fine')))[0]).toMatchObject({ state: 'waiting' });
  });

  test('never covers the token of the tunnel server, wherever it lies', async () => {
    const token = write('tunnel.token', 'a secret of many', documents);
    fs.linkSync(token, path.join(documents, 'other-name'));
    fs.symlinkSync(token, path.join(documents, 'link'));
    const tunnel = (token_file: string) => ({
      kind: 'rathole' as const,
      server: 'tunnel.example:2333',
      service: 'kiosk-7',
      token_file,
    });
    for (const written of [token, 'documents/tunnel.token', './documents/../documents/tunnel.token']) {
      made.consent({ enabled: true, paths: ['documents'] }, tunnel(written));
      expect(await codes(token, path.join(documents, 'other-name'), path.join(documents, 'link'))).toEqual(
        Array.from({ length: 3 }, () => 'path_not_allowed'),
      );
    }
    expect((await add(write('fine.txt', 'fine')))[0]).toMatchObject({ state: 'waiting' });
    made.consent({ enabled: true, paths: ['documents'] }, tunnel('elsewhere.token'));
    expect((await add(token))[0]).toMatchObject({ state: 'waiting' });
  });

  test('takes regular files that are there, up to max_bytes', async () => {
    made.consent({ enabled: true, paths: ['documents'], max_bytes: '10KiB' });
    expect(
      await codes(
        documents,
        path.join(documents, 'none'),
        write('large', randomBytes(10_241)),
        write('fits', randomBytes(10_240)),
      ),
    ).toEqual(['path_not_allowed', 'file_missing', 'file_too_large', null]);
    fs.mkdirSync(path.join(documents, 'folder'));
    expect(await codes(path.join(documents, 'folder'))).toEqual(['not_a_file']);
  });

  test.skipIf(process.platform !== 'linux')('gives away nothing of what has no size', async () => {
    made.consent({ enabled: true, paths: ['/proc'] });
    expect(await add('/proc/self/environ')).toMatchObject([{ size: 0, sha256: sha256(Buffer.alloc(0)) }]);
  });

  test('bounds what waits', async () => {
    made.consent({ enabled: true, paths: ['documents'], max_bytes: '10KiB' });
    const found = await codes(...Array.from({ length: 11 }, (_, n) => write(`${n}`, randomBytes(10_240))));
    expect(found).toEqual([...Array.from({ length: 10 }, () => null), 'queue_full']);
  });
});

describe('the outputs of a run', () => {
  test('are sent when the console gives them a place', async () => {
    const bytes = randomBytes(150_000);
    made.outbox.run(finished('run-1', { 'a.bin': bytes, 'pages/1.txt': 'one' }));
    await flush();
    expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
    expect((await stored()).filter((each) => each.completed_at !== null)).toContainEqual(
      expect.objectContaining({ name: 'pages/1.txt', kind: 'output', run_id: 'run-1', flow: 'invoice-bot' }),
    );
    expect(made.queue.overview({ kind: 'upload', limit: 9 })).toEqual([]);
  });

  test('stay here without consent, and no event of a run speaks of it', async () => {
    made.consent({ enabled: false });
    const bytes = randomBytes(100);
    made.outbox.run(finished('run-off-1', { 'a.bin': bytes }));
    made.outbox.run(finished('run-off-2', { 'a.bin': bytes }));
    await flush();
    expect(await contentOf(sha256(bytes))).toBeNull();
    expect(made.queue.overview({ kind: 'upload', limit: 9 })).toEqual([]);
    expect(await events('FileUploadRefused')).toEqual([]);
  });

  test('are kept back when they were changed after the report', async () => {
    made.outbox.run(
      finished('run-changed', { 'a.txt': 'as reported', 'b.txt': 'as reported', 'c.txt': 'gone' }),
    );
    const folder = made.outputFolder('run-changed');
    write('a.txt', 'as it is!!!', folder);
    fs.rmSync(path.join(folder, 'b.txt'));
    fs.symlinkSync('/etc/hostname', path.join(folder, 'b.txt'));
    fs.rmSync(path.join(folder, 'c.txt'));
    await flush();
    expect(parked().map((text) => text?.split(':')[0])).toEqual([
      'file_changed',
      'file_changed',
      'file_missing',
    ]);
    expect(await events('FileUploadRefused')).toHaveLength(3);
  });

  test('are kept back when they are too large, and the folder of a run that waits is kept', async () => {
    made.consent({ enabled: true, max_bytes: '1KiB' });
    made.outbox.run(finished('run-large', { 'a.bin': randomBytes(1_025) }));
    await flush();
    expect(await events('FileUploadRefused')).toEqual([expect.stringContaining('file_too_large')]);
    made.consent({ enabled: true });
    const report = finished('run-waits', { 'a.bin': 'x' });
    made.uploads.consent.offered(
      report,
      JSON.stringify({ uploads: [{ name: 'a.bin', upload_url: `${relay.origin}/edge/uploads` }] }),
    );
    expect(made.uploads.waitingRuns()).toEqual(new Set(['run-waits']));
  });

  test.each([
    'https://elsewhere.example/edge/uploads',
    'http://127.0.0.1:1/edge/uploads',
    '//elsewhere.example/edge/uploads',
    'ORIGIN/edge/notify',
    'ORIGIN/edge/uploads/../notify',
    'ORIGIN/edge/uploads/a/b',
    'ORIGIN/edge/uploads/a?x=1',
    'ORIGIN@elsewhere.example/edge/uploads',
    'file:///etc/passwd',
    '',
  ])('go nowhere but below saas_url: %s', async (place) => {
    const upload_url = place.replace('ORIGIN', relay.origin);
    const report = finished('run-place', { 'a.bin': 'x' });
    made.uploads.consent.offered(report, JSON.stringify({ uploads: [{ name: 'a.bin', upload_url }] }));
    expect(made.queue.overview({ kind: 'upload', limit: 9 })).toEqual([]);
    expect(await events('FileUploadRefused')).toEqual([expect.stringContaining('place_not_allowed')]);
  });

  test.each(['../../../agent.db', 'b.bin', '/etc/passwd', 'a.bin\u0000'])(
    'are only those that were reported: %s',
    async (name) => {
      const report = finished('run-names', { 'a.bin': 'x' });
      const places = { uploads: [{ name, upload_url: `${relay.origin}/edge/uploads` }] };
      made.uploads.consent.offered(report, JSON.stringify(places));
      expect(made.queue.overview({ kind: 'upload', limit: 9 })).toEqual([]);
      expect(await events('FileUploadRefused')).toEqual([expect.stringContaining('output_unknown')]);
    },
  );

  test.each(['', 'null', '{"uploads":', '{"uploads":"all"}', '{"uploads":[{"name":1}]}'])(
    'and an answer that is none is passed over: %s',
    (answer) => {
      made.uploads.consent.offered(finished('run-answer', { 'a.bin': 'x' }), answer);
      expect(made.queue.overview({ kind: 'upload', limit: 9 })).toEqual([]);
    },
  );
});

describe('a flow', () => {
  const asking = (runId: string, request: unknown) =>
    finished(runId, { 'edge-uploads.json': typeof request === 'string' ? request : JSON.stringify(request) });

  test('sends local documents by leaving edge-uploads.json', async () => {
    const bytes = randomBytes(100_000);
    const file = write('scan-7.pdf', bytes);
    made.outbox.run(
      asking('run-flow', { uploads: [{ path: file, name: 'Invoice 7.pdf', purpose: 'to be booked' }] }),
    );
    await flush();
    await flush();
    expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
    expect(await stored()).toContainEqual(
      expect.objectContaining({
        name: 'Invoice 7.pdf',
        kind: 'document',
        run_id: 'run-flow',
        purpose: 'to be booked',
      }),
    );
  });

  test('gets no more than consent covers, and the others all the same', async () => {
    const fine = write('fine.txt', randomBytes(10));
    const outside = write('outside.txt', 'x', made.folder);
    fs.linkSync(outside, path.join(documents, 'hard.txt'));
    made.outbox.run(
      asking('run-escape', {
        uploads: [{ path: outside }, { path: path.join(documents, 'hard.txt') }, { path: fine }],
      }),
    );
    await flush();
    await flush();
    expect((await events('FileUploadRefused')).map((text) => /path_not_allowed/.test(text))).toEqual([
      true,
      true,
    ]);
    expect(await stored()).toContainEqual(
      expect.objectContaining({ name: 'fine.txt', run_id: 'run-escape' }),
    );
  });

  test.each([
    ['{"uploads":[', 'request_invalid'],
    [{ uploads: [] }, 'request_invalid'],
    [{ uploads: [{ path: '/x', mode: 'all' }] }, 'request_invalid'],
    ['x'.repeat(65_537), 'request_invalid'],
  ])('whose list is wrong is told so: %j', async (request, code) => {
    made.outbox.run(asking('run-wrong', request));
    await flush();
    expect(parked()).toEqual([expect.stringMatching(new RegExp(`^${code}: edge-uploads.json`))]);
    expect(await events('FileUploadRefused')).toEqual([expect.stringContaining('run-wrong')]);
  });

  test('that asks without consent is kept for when there is one', async () => {
    made.consent({ enabled: false });
    const bytes = randomBytes(10);
    made.outbox.run(asking('run-later', { uploads: [{ path: write('later.txt', bytes) }] }));
    await flush();
    expect(parked()).toEqual([expect.stringMatching(/^uploads_disabled: /)]);
    made.consent({ enabled: true, paths: ['documents'] });
    made.outbox.retryParked();
    await flush();
    await flush();
    expect((await contentOf(sha256(bytes)))?.equals(bytes)).toBe(true);
  });
});
