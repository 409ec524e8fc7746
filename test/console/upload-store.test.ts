import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RequestRefused } from '../../console/refusal.ts';
import type { UploadLimits } from '../../console/store/ports/uploads.ts';
import { openDatabase } from '../../console/store/sqlite/database.ts';
import { createUploadRows } from '../../console/store/sqlite/uploads.ts';
import { digestOf } from '../../console/upload-bytes.ts';
import { createUploadStore, type UploadStore } from '../../console/uploads.ts';
import type { UploadKind } from '../../schemas/upload.ts';

const AGENT = { agent_id: 'a1', tenant: 'acme' };
const LIMITS: UploadLimits = {
  uploadBytes: 10_000,
  uploadAgentBytes: 1_000,
  uploadAgentFiles: 100,
  uploadsOpen: 100,
  uploadOpenDays: 7,
};

let directory: string;
let close: () => void;
let store: UploadStore;
let hashed: string[];
/** While there is one, nothing is hashed to the end. */
let gate: Promise<void> | null;
let second = 0;
const now = () => new Date(Date.UTC(2026, 10, 20) + 1_000 * second);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uploads-'));
  const database = openDatabase(join(directory, 'console.db'));
  database.sql.exec(`INSERT INTO tenants VALUES ('acme', '', '{}', 'h', '2026-11-20T00:00:00Z');
    INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at)
    VALUES ('a1', 'acme', 't', '{}', 'h', 'pc', 'linux', 'x64', '1', '2026-11-20T00:00:00Z')`);
  close = () => database.close();
  hashed = [];
  gate = null;
  store = createUploadStore(createUploadRows(database), join(directory, 'uploads'), {
    checkWaitMs: 20,
    async digest(path) {
      hashed.push(path);
      await gate;
      return digestOf(path);
    },
  });
});
afterEach(() => {
  close();
  rmSync(directory, { recursive: true, force: true });
});

const create = async (bytes: Uint8Array, name: string, kind: UploadKind = 'output', limits = LIMITS) => {
  second += 1;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const metadata = { name, sha256, kind, run_id: kind === 'output' ? 'r1' : null, flow: null, purpose: null };
  return (await store.create(AGENT, metadata, bytes.byteLength, limits, now())).upload;
};
const append = async (upload: Awaited<ReturnType<typeof create>>, offset: number, bytes: Uint8Array) =>
  store.append(upload, offset, Readable.from(bytes.length === 0 ? [] : [Buffer.from(bytes)]), now);
const codeOf = async (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => {
      if (error instanceof RequestRefused) return `${error.status} ${error.code}`;
      throw error;
    },
  );

describe('an upload whose last byte has come', () => {
  it('is hashed once, however many ask meanwhile', async () => {
    const bytes = randomBytes(100);
    const upload = await create(bytes, 'a.bin');
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    const last = append(upload, 0, bytes);
    await expect.poll(() => hashed.length).toBe(1);
    // Those who ask are told to come back: hashing may take longer than they wait.
    const asked = Array.from({ length: 10 }, async () => codeOf(store.offset(upload, now)));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['423 busy']));
    const empty = append(upload, 100, Buffer.alloc(0));
    held.resolve();
    expect(await Promise.all([last, empty])).toEqual([100, 100]);
    // `upload` is what was known before.
    expect(await store.offset(upload, now)).toBe(100);
    expect(hashed).toHaveLength(1);
    expect((await store.get(upload.upload_id))?.completed_at).not.toBeNull();
  });

  it('with another digest is so for all who wait, and gone for who comes after', async () => {
    const upload = await create(randomBytes(100), 'a.bin');
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    const last = codeOf(append(upload, 0, randomBytes(100)));
    await expect.poll(() => hashed.length).toBe(1);
    const empty = codeOf(append(upload, 100, Buffer.alloc(0)));
    held.resolve();
    expect(await Promise.all([last, empty])).toEqual(['422 digest_mismatch', '422 digest_mismatch']);
    expect(await codeOf(append(upload, 0, Buffer.alloc(0)))).toBe('404 not_found');
    expect(readdirSync(join(directory, 'uploads'))).toEqual([]);
  });
});

describe('the files of one agent', () => {
  const files = () => readdirSync(join(directory, 'uploads')).toSorted();
  const whole = async (name: string, bytes: number, kind: UploadKind, limits = LIMITS) => {
    const content = randomBytes(bytes);
    const upload = await create(content, name, kind, limits);
    if (bytes > 0) await append(upload, 0, content);
    return upload.upload_id;
  };

  it('are so many at most, empty ones too: the oldest outputs make room', async () => {
    const few = { ...LIMITS, uploadAgentFiles: 3 };
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push(await whole(`${n}.txt`, 0, 'output', few));
    expect((await store.list({ agent: 'a1', limit: 10 })).map(({ name }) => name)).toEqual([
      '4.txt',
      '3.txt',
      '2.txt',
    ]);
    expect(files()).toEqual(made.slice(2).toSorted());
  });

  it('are so many bytes at most: as many of the oldest outputs go as have to', async () => {
    const kept: string[] = [];
    for (let n = 0; n < 4; n += 1) kept.push(await whole(`${n}.bin`, 250, 'output'));
    kept.push(await whole('large.bin', 400, 'output'));
    expect(files()).toEqual(kept.slice(2).toSorted());
  });

  it('that are documents, or not whole yet, do not make room for anything', async () => {
    await whole('scan.pdf', 500, 'document');
    await create(randomBytes(400), 'coming.bin');
    await whole('old.bin', 100, 'output');
    expect(await codeOf(create(randomBytes(101), 'too much.bin'))).toBe('507 quota_used_up');
    // What would not have been enough stays.
    expect((await store.list({ agent: 'a1', limit: 10 })).map(({ name }) => name)).toEqual([
      'old.bin',
      'coming.bin',
      'scan.pdf',
    ]);
    await create(randomBytes(100), 'fits.bin');
    expect((await store.list({ agent: 'a1', limit: 10 })).map(({ name }) => name)).toEqual([
      'fits.bin',
      'coming.bin',
      'scan.pdf',
    ]);
    const few = { ...LIMITS, uploadAgentFiles: 2 };
    await store.remove((await store.list({ agent: 'a1', limit: 1 }))[0]?.upload_id as string);
    expect(await codeOf(create(Buffer.alloc(0), 'empty.txt', 'document', few))).toBe('507 quota_used_up');
  });

  it('that nobody knows are swept away', async () => {
    const kept = await whole('a.bin', 10, 'output');
    writeFileSync(join(directory, 'uploads', 'ffffffff-0000-4000-8000-000000000000'), 'left by a crash');
    expect(await store.prune(now(), 7)).toBe(0);
    expect(files()).toEqual([kept]);
  });
});
