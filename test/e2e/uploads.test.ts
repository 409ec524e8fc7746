import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { UploadState } from '../../schemas/upload.ts';
import {
  addTenant,
  type EnrolledAgent,
  enrolAgent,
  type RunningConsole,
  startConsole,
} from '../console/running-console.ts';
import { bundleOf } from '../support/bundles.ts';
import { type Daemon, startDaemon, until } from '../support/daemon.ts';
import { freePort, type Relay, startRelay } from '../support/uploading.ts';
import { createWorld, manifestV1, type World } from '../support/world.ts';

let relay: Relay;
let running: RunningConsole;
let agent: EnrolledAgent;
let world: World;
let daemon: Daemon | null = null;

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const configure = (uploads: object) =>
  world.writeConfig({ saas_url: relay.origin, agent_id: agent.issuer, uploads });
const document = (name: string, bytes: Uint8Array | string) => {
  writeFileSync(join(world.folder, 'documents', name), bytes);
  return join('documents', name);
};
const ask = async (path: string) => fetch(relay.origin + path, { headers: { 'x-api-key': running.apiKey } });
const whole = async () => {
  const { uploads } = (await (await ask(`/api/agents/${agent.issuer}/uploads`)).json()) as {
    uploads: { upload_id: string; name: string; sha256: string; kind: string; completed_at: string | null }[];
  };
  return uploads.filter((upload) => upload.completed_at !== null);
};
const arrived = async (digest: string) => {
  const upload = (await whole()).find((each) => each.sha256 === digest);
  return upload === undefined
    ? null
    : Buffer.from(await (await ask(`/api/uploads/${upload.upload_id}`)).arrayBuffer());
};
const upload = async (...args: string[]) =>
  world.json<{ uploads: UploadState[]; error?: { code: string } }>('upload', ...args);

beforeAll(async () => {
  relay = await startRelay();
  const port = await freePort();
  running = await startConsole({ publicUrl: relay.origin, port, limits: { uploadBytes: 30 * MIB } });
  relay.to(port);
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
  world = await createWorld();
  writeFileSync(join(world.folder, 'credentials/device.jwk'), JSON.stringify(agent.jwk), { mode: 0o600 });
  mkdirSync(join(world.folder, 'documents'));
});
afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon = null;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
  await relay[Symbol.asyncDispose]();
});

describe('edge-agent upload', () => {
  it('sends a file and says so, without a daemon', async () => {
    configure({ enabled: true, paths: ['documents'] });
    const bytes = randomBytes(MIB);
    const { code, document: answer } = await upload(document('scan.pdf', bytes), '--note', 'for the books');
    expect(answer.uploads).toMatchObject([{ name: 'scan.pdf', state: 'uploaded', size: MIB, sent: MIB }]);
    expect(code).toBe(0);
    expect((await arrived(sha256(bytes)))?.equals(bytes)).toBe(true);
    const text = await world.agent('upload', 'documents/scan.pdf');
    expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining('scan.pdf') });
  });

  it('refuses what agent.yaml does not consent to, with exit code 3', async () => {
    configure({});
    const off = await upload(document('a.txt', 'a'));
    expect([off.code, off.document.error?.code]).toEqual([3, 'uploads_disabled']);
    configure({ enabled: true, paths: ['documents'], max_bytes: '10KiB' });
    const kept = await upload('agent.yaml', document('large', randomBytes(10_241)));
    expect([kept.code, kept.document.error?.code]).toEqual([3, 'path_not_allowed']);
    expect(kept.document.uploads.map(({ code }) => code)).toEqual(['path_not_allowed', 'file_too_large']);
    expect(kept.stderr).toContain('uploads.paths');
    const none = await upload('documents/none');
    expect([none.code, none.document.error?.code]).toEqual([2, 'file_missing']);
    // outside of uploads.paths too: whoever typed the name sees as much
    const astray = await upload('none');
    expect([astray.code, astray.document.error?.code]).toEqual([2, 'file_missing']);
    expect(astray.stderr).toContain('none is not sent: ');
  });

  it('shows what the console refused, with exit code 4, and sends it again on command', async () => {
    configure({ enabled: true, paths: ['documents'] });
    const refused = await upload(document('huge.bin', Buffer.alloc(30 * MIB + 1)));
    expect([refused.code, refused.document.error?.code]).toEqual([4, 'refused_by_console']);
    const { stdout } = await world.agent('status');
    expect(stdout).toMatch(/Reports .*1 parked/);
    expect(stdout).toMatch(
      /parked: file [0-9a-f]{32}: refused_by_console: .*found 413: .*at most 31457280 bytes/,
    );
    const listed = await world.agent('retry', '--list');
    expect(listed.stdout).toMatch(/file [0-9a-f]{32} +parked/);
    await world.agent('retry');
    const { document: events } = await world.json<{ reason: string }[]>('events', '--last', '200');
    const reasons = events.map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'ReportRetried')).toHaveLength(1);
    expect(reasons.filter((reason) => reason === 'FileUploadRefused').length).toBeGreaterThan(1);
  });

  it('queues a file for later when the console does not answer, with exit code 5', async () => {
    configure({ enabled: true, paths: ['documents'] });
    const bytes = randomBytes(1_000);
    relay.cutAfter(...Array.from({ length: 20 }, () => 0));
    const { code, document: answer, stderr } = await upload(document('later.txt', bytes));
    expect([code, answer.uploads[0]?.state]).toEqual([5, 'waiting']);
    expect(stderr).toContain('later.txt waits in the queue');
    const listed = await world.json<{ kind: string; state: string; message: string }[]>('retry', '--list');
    expect(listed.document).toContainEqual(expect.objectContaining({ kind: 'upload', state: 'waiting' }));
    relay.cutAfter();
    // The queue is what counts from here on.
    rmSync(join(world.folder, 'documents/later.txt'));
    daemon = startDaemon(world);
    await until('the file at the console', async () => arrived(sha256(bytes)));
  });

  it('goes on where it stood when the daemon is killed in the middle', async () => {
    configure({ enabled: true, paths: ['documents'] });
    const bytes = randomBytes(24 * MIB);
    daemon = startDaemon(world);
    await until('the daemon', async () =>
      (await world.agent('status')).stdout.includes('edge-agent run, process'),
    );
    const before = relay.sent();
    const hung = relay.hangAfter(10 * MIB);
    const asked = upload(document('large.bin', bytes));
    // Killed before the line hangs, it would leave the hanging to its successor.
    await hung;
    await daemon.stop('SIGKILL');
    expect((await asked).code).toBe(5);
    daemon = startDaemon(world);
    const there = await until('the file at the console', async () => arrived(sha256(bytes)), 60_000);
    expect(there.equals(bytes)).toBe(true);
    // Of the piece that was on its way, what the console had taken is not sent again.
    expect(relay.sent() - before).toBeLessThan(26 * MIB);
  });
});

describe('the outputs of a run', () => {
  const flow = bundleOf({
    'main.py': `import json, os
out = os.environ["EDGE_OUTPUT_DIR"]
given = json.load(open(os.environ["EDGE_INPUT"]))
open(os.path.join(out, "report.csv"), "w").write("42;" + str(given.get("n")))
if "document" in given:
    json.dump({"uploads": [{"path": given["document"], "purpose": "to be booked"}]}, open(os.path.join(out, "edge-uploads.json"), "w"))
`,
  });

  it('reach the console with the documents the flow names, when agent.yaml consents', async () => {
    configure({ enabled: true, paths: ['documents'] });
    await world.release(manifestV1(world, 'flow.tar.gz', flow));
    expect((await world.reconcile()).code).toBe(0);
    daemon = startDaemon(world);
    const bytes = randomBytes(100_000);
    document('invoice.pdf', bytes);
    await until('the daemon', async () =>
      (await world.agent('status')).stdout.includes('edge-agent run, process'),
    );
    const input = JSON.stringify({ n: 7, document: join(world.folder, 'documents/invoice.pdf') });
    const { document: report } = await world.json<{ run_id: string }>(
      'trigger',
      'default',
      '--input',
      input,
      '--wait',
    );
    await until('the document', async () => arrived(sha256(bytes)));
    await until('the output', async () => arrived(sha256(Buffer.from('42;7'))));
    expect(await whole()).toContainEqual(
      expect.objectContaining({ name: 'invoice.pdf', kind: 'document', run_id: report.run_id }),
    );
    const { document: events } = await world.json<{ reason: string; run_id?: string }[]>(
      'events',
      '--last',
      '200',
    );
    const told = events.filter(({ reason, run_id }) => reason === 'FileUploaded' && run_id === report.run_id);
    expect(told).toHaveLength(2);
    // The copy of what the console refused before is all that is left.
    const { document: waiting } = await world.json<{ key: string }[]>('retry', '--list');
    const kept = waiting.map(({ key }) => key.replace('file/', ''));
    expect(readdirSync(join(world.cache, '.agent/uploads'))).toEqual(kept);
  });

  it('stay on the machine without consent', async () => {
    configure({});
    const { document: report } = await world.json<{ run_id: string }>(
      'trigger',
      'default',
      '--input',
      '{"n": 8}',
      '--wait',
    );
    expect(report.run_id).toBeTruthy();
    expect(await arrived(sha256(Buffer.from('42;8')))).toBeNull();
    const { document: status } = await world.json<{ outbox: object }>('status');
    // The file the console refused before; nothing of this run.
    expect(status.outbox).toMatchObject({ parked: 1 });
  });
});
