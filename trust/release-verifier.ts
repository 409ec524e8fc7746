import {
  MANIFEST_FILE,
  POLICY_FILE,
  RELEASE_FILE,
  type Refused,
  type ReleaseVerifier,
  type Snapshot,
  type TrustMemory,
  type Verdict,
  type VerifiedRelease,
} from '../reconciler/ports.ts';
import type { ReleaseStatement } from '../schemas/release.ts';
import type { Root } from '../schemas/root.ts';
import { sha256Hex } from './jws.ts';
import { mergeMemory } from './memory.ts';
import { refused } from './refusal.ts';
import { believeStatement, boundFileMatches } from './release-statement.ts';
import { walkRoots } from './root-walk.ts';
import { EXPIRY_NOTICE_MS, hasExpired, learnTime, trustedTime } from './trusted-time.ts';

export interface ReleaseVerifierOptions {
  /** `tuf` is verified by other means; this factory does not offer it. */
  readonly mode: 'required' | 'optional' | 'off';
  readonly tenant: string;
  /** The exact text of the pinned root document, or null without `trust.root`. */
  readonly pinnedRoot: string | null;
}

/**
 * Says whether a snapshot's manifest was released (contract, section 5). Pure: no clock, no disk, no network of its own.
 *
 * - `required`: a statement, and a pinned root to check it with.
 * - `optional`: no statement is needed until the first signed release was accepted; one that is there must hold. It cannot
 *   hold without a pinned root: a signature that nobody can check is refused, not taken for none.
 * - `off`: the statement is not looked at.
 */
export function createReleaseVerifier(options: ReleaseVerifierOptions): ReleaseVerifier {
  const { mode, tenant, pinnedRoot } = options;
  return {
    mode,
    async verify(snapshot, memory, now) {
      const statementBytes = snapshot.files.get(RELEASE_FILE);
      if (mode === 'off') return takeUnsigned(snapshot, memory);
      if (statementBytes === undefined) {
        if (mode === 'optional' && !hasSeenSigned(memory)) return takeUnsigned(snapshot, memory);
        return { ...missingStatement(mode), memory, newRoots: [] };
      }
      if (pinnedRoot === null) {
        const message = `expected a pinned root in trust.root to check ${RELEASE_FILE} with, found none; enrol this agent, or set trust.root`;
        return { ...refused('root_missing', message), memory, newRoots: [] };
      }

      const walk = await walkRoots(pinnedRoot, memory.roots, snapshot.files);
      const learned: TrustMemory = { ...memory, roots: [...memory.roots, ...walk.accepted] };
      const newRoots = walk.accepted.map((root) => root.version);
      const refuse = (fault: Refused): Verdict => ({ ...fault, memory: learned, newRoots });
      if (walk.kind === 'refused') return refuse(refused(walk.code, walk.message));
      const time = trustedTime(now, memory.latest_issued);
      if (hasExpired(walk.root.expires, time)) return refuse(expiredRoot(walk.root));

      const expected = { tenant, inForce: walk, memory, time };
      const believed = await believeStatement(statementBytes, RELEASE_FILE, expected);
      if (believed.kind === 'refused') return refuse(believed);
      const { statement, payloadSha256, keys } = believed;
      const files = boundFiles(snapshot, statement);
      if (files.kind === 'refused') return refuse(files);

      return {
        kind: 'verified',
        statement,
        manifest: files.manifest,
        policy: files.policy,
        rootVersion: walk.root.version,
        seq: { keys, value: statement.seq },
        memory: mergeMemory(learned, {
          roots: [],
          seq: [{ keys, value: statement.seq, payload_sha256: payloadSha256 }],
          latest_issued: learnTime(now, memory.latest_issued, statement.issued),
          signed_seen: true,
        }),
        newRoots,
        warnings: [
          ...ignoredPolicy(snapshot, files.policy),
          ...nearExpiry(`release ${statement.seq}`, statement.expires, time),
          ...nearExpiry(`root ${walk.root.version}`, walk.root.expires, time),
        ],
      };
    },
  };
}

/** A `seq` is only ever raised by a signed release, so one that is remembered latches too. */
function hasSeenSigned(memory: TrustMemory): boolean {
  return memory.signed_seen || memory.seq.length > 0;
}

function missingStatement(mode: 'required' | 'optional'): Refused {
  if (mode === 'required') {
    return refused(
      'release_missing',
      `expected ${RELEASE_FILE} beside ${MANIFEST_FILE}, found none; sign the release`,
    );
  }
  const message = `expected ${RELEASE_FILE}: this agent has taken a signed release before and takes only signed ones since, found none`;
  return refused('signature_required', message);
}

function expiredRoot(root: Root): Refused {
  const message = `expected a root that has not expired, found root ${root.version} with expires ${root.expires}; sign root ${root.version + 1}`;
  return refused('root_expired', message);
}

function takeUnsigned(snapshot: Snapshot, memory: TrustMemory): Verdict {
  const manifest = snapshot.files.get(MANIFEST_FILE);
  if (manifest === undefined) return { ...missingManifest(), memory, newRoots: [] };
  return {
    kind: 'verified',
    statement: null,
    manifest,
    policy: null,
    rootVersion: null,
    seq: null,
    memory,
    newRoots: [],
    warnings: ignoredPolicy(snapshot, null),
  };
}

type BoundFiles = {
  readonly kind: 'bound';
  readonly manifest: Uint8Array;
  readonly policy: Uint8Array | null;
};

function boundFiles(snapshot: Snapshot, statement: ReleaseStatement): BoundFiles | Refused {
  const manifest = snapshot.files.get(MANIFEST_FILE);
  if (manifest === undefined) return missingManifest();
  if (!boundFileMatches(manifest, statement.manifest)) {
    return refused('manifest_mismatch', describeMismatch(MANIFEST_FILE, manifest, statement.manifest));
  }
  if (statement.policy === undefined) return { kind: 'bound', manifest, policy: null };
  const policy = snapshot.files.get(POLICY_FILE);
  if (policy === undefined) {
    return refused(
      'policy_missing',
      `expected ${POLICY_FILE}, which the release binds, found none; put it back or sign a release without it`,
    );
  }
  if (!boundFileMatches(policy, statement.policy)) {
    return refused('policy_mismatch', describeMismatch(POLICY_FILE, policy, statement.policy));
  }
  return { kind: 'bound', manifest, policy };
}

function missingManifest(): Refused {
  return refused('manifest_missing', `expected ${MANIFEST_FILE} on the tenant branch, found none`);
}

function describeMismatch(
  name: string,
  bytes: Uint8Array,
  bound: { sha256: string; length: number },
): string {
  return `${name}: expected the ${bound.length} bytes with sha256 ${bound.sha256} that the release binds, found ${bytes.byteLength} bytes with sha256 ${sha256Hex(bytes)}; sign a release for the file as it is`;
}

function ignoredPolicy(snapshot: Snapshot, policy: Uint8Array | null): VerifiedRelease['warnings'] {
  if (policy !== null || !snapshot.files.has(POLICY_FILE)) return [];
  const message = `${POLICY_FILE} is on the branch but no signed release binds it: it is ignored`;
  return [{ reason: 'PolicyIgnored', message }];
}

function nearExpiry(what: string, expires: string, time: Date): VerifiedRelease['warnings'] {
  if (Date.parse(expires) - time.getTime() > EXPIRY_NOTICE_MS) return [];
  const message = `${what} expires at ${expires}; nothing new will be applied after that until a later one is signed`;
  return [{ reason: 'ReleaseExpiring', message }];
}
