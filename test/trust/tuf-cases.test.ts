// Ported from theupdateframework/tuf-conformance, by name: those of its cases that have a meaning for releases and roots of our own
// format. root-walk.test.ts has test_root_rotation; release-verifier.test.ts has test_non_root_rotations,
// test_new_timestamp_version_rollback, test_new_timestamp_fast_forward_recovery, test_timestamp_expired and test_root_expired.
// The others are about what our format has not: snapshots, delegations, target names, several algorithms. trust/tuf/ is held to
// all of them by the suite itself (docs/spec/tuf.md).
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../reconciler/ports.ts';
import type { GeneralJws } from '../../schemas/jws.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { createReleaseVerifier } from '../../trust/release-verifier.ts';
import {
  daysFromNow,
  EMPTY,
  firstRoot,
  MANIFEST,
  makeKeys,
  NOW,
  nextRoot,
  RELEASE_FILE,
  release,
  rootFiles,
  snapshot,
} from './signed-files.ts';

const keys = makeKeys(1, 1);
const root = await firstRoot(keys);
const good = await release(keys.release);

function look(
  files: Parameters<typeof snapshot>[0],
  pinned: GeneralJws | string = root,
  memory = EMPTY,
): Promise<Verdict> {
  const pinnedRoot = typeof pinned === 'string' ? pinned : serialiseDocument(pinned);
  return createReleaseVerifier({ mode: 'required', tenant: 'acme', pinnedRoot }).verify(
    snapshot(files),
    memory,
    NOW,
  );
}

/** A document with its payload changed under the signatures that it has. */
function withPayload(text: string, change: (payload: Record<string, unknown>) => void): string {
  const document = JSON.parse(text) as GeneralJws;
  const payload = JSON.parse(Buffer.from(document.payload, 'base64url').toString()) as Record<
    string,
    unknown
  >;
  change(payload);
  return JSON.stringify({ ...document, payload: Buffer.from(JSON.stringify(payload)).toString('base64url') });
}

describe('TUF conformance', () => {
  it('test_basic_refresh_trusted_data', async () => {
    expect(await look({ [RELEASE_FILE]: good })).toMatchObject({ kind: 'verified', rootVersion: 1 });
  });

  it('test_invalid_initial_root', async () => {
    expect(await look({ [RELEASE_FILE]: good }, '"this is not a valid root"')).toMatchObject({
      code: 'document_malformed',
    });
  });

  it('test_unsigned_initial_root', async () => {
    const forged = withPayload(serialiseDocument(root), (payload) => {
      payload['expires'] = daysFromNow(500);
    });
    expect(await look({ [RELEASE_FILE]: good }, forged)).toMatchObject({ code: 'root_threshold_not_met' });
  });

  it('test_unsigned_metadata: root', async () => {
    const second = await nextRoot(root, keys);
    const forged = withPayload(serialiseDocument(second), (payload) => {
      payload['expires'] = daysFromNow(500);
    });
    const files = { [RELEASE_FILE]: good, 'roots/2.root.jws.json': forged };
    expect(await look(files)).toMatchObject({ code: 'root_threshold_not_met', newRoots: [] });
  });

  it('test_unsigned_metadata: release', async () => {
    const forged = withPayload(good, (payload) => {
      payload['seq'] = 2;
    });
    expect(await look({ [RELEASE_FILE]: forged })).toMatchObject({ code: 'threshold_not_met' });
  });

  it('test_url_and_metadata_version_mismatch: root', async () => {
    const third = await nextRoot(await nextRoot(root, keys), keys);
    const files = { [RELEASE_FILE]: good, 'roots/2.root.jws.json': third };
    expect(await look(files)).toMatchObject({ code: 'root_name_mismatch' });
  });

  it('test_timestamp_content_changes', async () => {
    const first = await look({ [RELEASE_FILE]: good });
    const other = await release(keys.release, { expires: daysFromNow(70) });
    expect(await look({ [RELEASE_FILE]: other }, root, first.memory)).toMatchObject({
      code: 'seq_equivocation',
    });
  });

  it('test_targets_hash_mismatch, test_repository_substitutes_target_file', async () => {
    const other = Buffer.from(MANIFEST.toString().replace('a.example', 'b.example'));
    expect(other.byteLength).toBe(MANIFEST.byteLength);
    expect(await look({ [RELEASE_FILE]: good, 'manifest.json': other })).toMatchObject({
      code: 'manifest_mismatch',
    });
  });

  it('test_metadata_bytes_match: a root is remembered as it came', async () => {
    const second = await nextRoot(root, keys);
    const text = `\n${JSON.stringify(JSON.parse(serialiseDocument(second)), null, 3)}\n`;
    const signed = await release(keys.release, { root_version: 2 });
    const verdict = await look({ [RELEASE_FILE]: signed, 'roots/2.root.jws.json': text });
    expect(verdict).toMatchObject({ kind: 'verified', memory: { roots: [{ version: 2, document: text }] } });
  });

  it('test_targets_404, test_timestamp_404', async () => {
    expect(await look({ [RELEASE_FILE]: good, 'manifest.json': null })).toMatchObject({
      code: 'manifest_missing',
    });
    expect(await look({})).toMatchObject({ code: 'release_missing' });
  });

  it('test_incorrect_metadata_type', async () => {
    // the same keys sign both, and still neither passes for the other
    const both = makeKeys(1, 1);
    const shared = { root: both.root, release: both.root };
    const own = await firstRoot(shared);
    expect(await look({ [RELEASE_FILE]: own }, own)).toMatchObject({ code: 'typ_mismatch' });
    const statement = await release(shared.release);
    const files = { [RELEASE_FILE]: statement, 'roots/2.root.jws.json': statement };
    expect(await look(files, own)).toMatchObject({ code: 'typ_mismatch' });
  });

  it('test_expired_local_root', async () => {
    const expired = await firstRoot(keys, {}, daysFromNow(-1));
    const second = await nextRoot(expired, keys);
    const signed = await release(keys.release, { root_version: 2 });
    expect(await look({ [RELEASE_FILE]: good }, expired)).toMatchObject({ code: 'root_expired' });
    const files = { [RELEASE_FILE]: signed, ...rootFiles(second) };
    expect(await look(files, expired)).toMatchObject({ kind: 'verified', rootVersion: 2 });
  });

  it('test_snapshot_does_not_meet_threshold, test_snapshot_has_too_few_keys', async () => {
    const many = makeKeys(1, 3);
    const pinned = await firstRoot(many, { release: 3 });
    expect(await look({ [RELEASE_FILE]: await release(many.release.slice(0, 2)) }, pinned)).toMatchObject({
      code: 'threshold_not_met',
    });
    await expect(firstRoot(many, { release: 4 })).rejects.toThrow('threshold');
  });

  it('test_duplicate_keys, test_duplicate_sig_keyids', async () => {
    const many = makeKeys(1, 3);
    const pinned = await firstRoot(many, { release: 2 });
    const one = JSON.parse(await release(many.release.slice(0, 1))) as GeneralJws;
    const repeated = { ...one, signatures: Array.from({ length: 9 }, () => one.signatures[0]) };
    expect(await look({ [RELEASE_FILE]: JSON.stringify(repeated) }, pinned)).toMatchObject({
      code: 'threshold_not_met',
    });
    const doubled = withPayload(serialiseDocument(pinned), (payload) => {
      const roles = payload['roles'] as { release: { keyids: string[] } };
      roles.release.keyids.push(roles.release.keyids[0] as string);
    });
    expect(await look({ [RELEASE_FILE]: good }, doubled)).toMatchObject({ kind: 'refused' });
  });

  it('test_invalid_sig_in_valid_metadata', async () => {
    const stranger = newKey();
    const document = JSON.parse(await release([keys.release[0] ?? stranger, stranger])) as GeneralJws;
    expect(document.signatures).toHaveLength(2);
    expect(await look({ [RELEASE_FILE]: JSON.stringify(document) })).toMatchObject({ kind: 'verified' });
    const broken = {
      ...document,
      signatures: document.signatures
        .toReversed()
        .map((each, index) => (index === 0 ? { ...each, signature: 'A'.repeat(86) } : each)),
    };
    expect(await look({ [RELEASE_FILE]: JSON.stringify(broken) })).toMatchObject({ kind: 'verified' });
  });
});
