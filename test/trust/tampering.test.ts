import { describe, expect, it } from 'vitest';
import { MANIFEST_FILE, POLICY_FILE, type Snapshot, type Verdict } from '../../reconciler/ports.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { createReleaseVerifier } from '../../trust/release-verifier.ts';
import {
  EMPTY,
  firstRoot,
  makeKeys,
  NOW,
  nextRoot,
  RELEASE_FILE,
  release,
  rootFiles,
  snapshot,
} from './signed-files.ts';

const KEYS = makeKeys(2, 2);
const POLICY = Buffer.from('version: 1\nsource: { interval: 5m }\n');
const root1 = await firstRoot(KEYS, { root: 2, release: 2 });
const root2 = await nextRoot(root1, KEYS, KEYS, { thresholds: { root: 2, release: 2 } });
const statement = await release(KEYS.release, { root_version: 2, policyBytes: POLICY });
const good = snapshot({ ...rootFiles(root1, root2), [RELEASE_FILE]: statement, [POLICY_FILE]: POLICY });
const { verify } = createReleaseVerifier({
  mode: 'required',
  tenant: 'acme',
  pinnedRoot: serialiseDocument(root1),
});

function verifyFile(path: string, bytes: Uint8Array, memory = EMPTY): Promise<Verdict> {
  const changed: Snapshot = { ...good, files: new Map([...good.files, [path, bytes]]) };
  return verify(changed, memory, NOW);
}

function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] as number) ^ mask;
  return copy;
}

describe('one byte flipped', () => {
  it('is the only thing wrong with what these tests send', async () => {
    expect(await verify(good, EMPTY, NOW)).toMatchObject({ kind: 'verified', rootVersion: 2 });
  });

  it.each([RELEASE_FILE, 'roots/1.root.jws.json', 'roots/2.root.jws.json', MANIFEST_FILE, POLICY_FILE])(
    'anywhere in %s is refused, at every byte',
    async (path) => {
      const bytes = good.files.get(path) as Uint8Array;
      const taken: string[] = [];
      for (let at = 0; at < bytes.length; at += 1) {
        // One bit of the byte, another one in each of eight neighbours.
        const mask = 1 << (at % 8);
        const verdict = await verifyFile(path, flipped(bytes, at, mask));
        if (verdict.kind !== 'refused') taken.push(`byte ${at} ^ ${mask}`);
      }
      expect(taken).toEqual([]);
    },
    20_000,
  );

  it('in a root is refused too when the root was accepted before', async () => {
    const { memory } = await verify(good, EMPTY, NOW);
    const path = 'roots/2.root.jws.json';
    const bytes = good.files.get(path) as Uint8Array;
    const taken: number[] = [];
    for (let at = 0; at < bytes.length; at += 7) {
      const verdict = await verifyFile(path, flipped(bytes, at, 1), memory);
      if (verdict.kind !== 'refused') taken.push(at);
    }
    expect(taken).toEqual([]);
  });

  it.each([RELEASE_FILE, 'roots/2.root.jws.json', MANIFEST_FILE])(
    'or a %s cut short anywhere, is refused',
    async (path) => {
      const bytes = good.files.get(path) as Uint8Array;
      // The line feed at the end of a JSON document is nobody's content.
      const end = path === MANIFEST_FILE ? bytes.length : bytes.length - 1;
      for (let length = 0; length < end; length += 5) {
        expect((await verifyFile(path, bytes.subarray(0, length))).kind).toBe('refused');
      }
    },
  );
});
