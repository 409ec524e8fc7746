import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrustMemory } from '../../reconciler/ports.ts';
import { EMPTY_TRUST_MEMORY, TrustStateError } from '../../trust/memory.ts';
import { createCredentialsTrustFile } from '../../trust/trust-state-file.ts';

const KEYS = 'a'.repeat(64);
const memory = (value: number): TrustMemory => ({
  roots: [{ version: 2, payload_sha256: 'b'.repeat(64), document: '{"payload":"…"}\n' }],
  seq: [{ keys: KEYS, value, payload_sha256: value.toString(16).padStart(64, '0') }],
  latest_issued: '2026-11-20T15:00:00.000Z',
  signed_seen: true,
});

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  path = join(folder, 'trust-state.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the trust state beside the credentials', () => {
  it('is empty when there is no file, also when there is no folder', async () => {
    expect(await createCredentialsTrustFile(folder).load()).toEqual(EMPTY_TRUST_MEMORY);
    const nested = createCredentialsTrustFile(join(folder, 'later'));
    expect(await nested.load()).toEqual(EMPTY_TRUST_MEMORY);
    await nested.save(memory(1));
    expect(await nested.load()).toEqual(memory(1));
  });

  it('is read back by another process as it was saved', async () => {
    await createCredentialsTrustFile(folder).save(memory(7));
    expect(await createCredentialsTrustFile(folder).load()).toEqual(memory(7));
    expect(await readdir(folder)).toEqual(['trust-state.json']);
  });

  it.runIf(process.platform !== 'win32')('is for its owner only', async () => {
    await createCredentialsTrustFile(folder).save(memory(7));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('never lowers a seq, whatever is saved later or at the same time', async () => {
    const file = createCredentialsTrustFile(folder);
    await Promise.all([5, 3, 9, 1].map((value) => file.save(memory(value))));
    await file.save({ ...EMPTY_TRUST_MEMORY, seq: [{ keys: KEYS, value: 2, payload_sha256: null }] });
    expect(await file.load()).toEqual(memory(9));
  });

  it('is not written again when nothing is new', async () => {
    const file = createCredentialsTrustFile(folder);
    await file.save(memory(1));
    const { ino, mtimeMs } = await stat(path);
    await file.save(memory(1));
    await file.save(EMPTY_TRUST_MEMORY);
    expect(await stat(path)).toMatchObject({ ino, mtimeMs });
  });

  it.each([
    ['empty', ''],
    ['half', '{"format":1,"roots":['],
    ['a name twice', '{"format":1,"format":1}'],
    ['another format', '{"format":2,"roots":[],"seq":[],"latest_issued":null,"signed_seen":false}'],
    ['no format', '{"roots":[],"seq":[],"latest_issued":null,"signed_seen":false}'],
    [
      'a seq below one',
      `{"format":1,"roots":[],"seq":[{"keys":"${KEYS}","value":-4,"payload_sha256":null}],"latest_issued":null,"signed_seen":true}`,
    ],
    ['a list', '[]'],
  ])('throws and stays as it is when damaged: %s', async (_, text) => {
    await writeFile(path, text);
    const file = createCredentialsTrustFile(folder);
    await expect(file.load()).rejects.toThrow(TrustStateError);
    await expect(file.save(memory(1))).rejects.toThrow(TrustStateError);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('saves again after a save that failed', async () => {
    const file = createCredentialsTrustFile(folder);
    await writeFile(path, 'damaged');
    await expect(file.save(memory(1))).rejects.toThrow(TrustStateError);
    await rm(path);
    await file.save(memory(2));
    expect(await file.load()).toEqual(memory(2));
  });
});
