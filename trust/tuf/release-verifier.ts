import {
  MANIFEST_FILE,
  POLICY_FILE,
  type Refused,
  type ReleaseVerifier,
  type Snapshot,
  TRIGGER_KEYS_FILE,
  type TrustMemory,
  TUF_FOLDER,
  type TufMemory,
  type Verdict,
  type VerifiedRelease,
} from '../../reconciler/ports.ts';
import { TufReleaseCustom, type TufTarget } from '../../schemas/tuf.ts';
import { TUF_MAX_BYTES, tufFileName } from '../../schemas/tuf-files.ts';
import { EMPTY_TUF_MEMORY, mergeMemory, mergeTufMemory } from '../memory.ts';
import { firstFault, refused } from '../refusal.ts';
import { ISSUED_AHEAD_MS, learnTime, trustedTime } from '../trusted-time.ts';
import { expiryWarnings, firstExpiry } from './expiry.ts';
import { tufKeySet } from './key-set.ts';
import { walkKnownRoots } from './known-roots.ts';
import { bytesFault, type Metadata, type TopLevelRole } from './metadata.ts';
import { equivocation, refreshTopLevel, type TufTopLevel } from './refresh.ts';
import { missingMetadata, type TufFiles, type TufKept } from './repository.ts';
import { createTargetFinder, type TargetSearch, type TufTargetFinder } from './targets.ts';
import { readTriggerKeys } from './trigger-keys.ts';

export interface TufReleaseVerifierOptions {
  readonly tenant: string;
  /** The exact text of the pinned root.json, or null without `trust.root`. */
  readonly pinnedRoot: string | null;
}

/** The path that binds a file of the branch to its tenant: one repository may serve many, and none may be given to another. */
function targetPath(tenant: string, file: string): string {
  return `tenant/${tenant}/${file}`;
}

/**
 * Says whether a TUF repository released a snapshot's manifest (docs/spec/tuf.md): the client workflow of the TUF specification,
 * section 5, on the files of one commit. Pure like the verifier of our own format: time and memory come in, memory goes out. What
 * was accepted on the way to a refusal is remembered, as the specification persists it.
 */
export function createTufReleaseVerifier({ tenant, pinnedRoot }: TufReleaseVerifierOptions): ReleaseVerifier {
  return {
    mode: 'tuf',
    async verify(snapshot, memory, now) {
      if (pinnedRoot === null) {
        const message =
          'expected the pinned TUF root in trust.root, found none; enrol this agent, or set trust.root';
        return { ...refused('root_missing', message), memory, newRoots: [] };
      }
      const files = filesOf(snapshot);
      const before = memory.tuf ?? EMPTY_TUF_MEMORY;
      const walk = await walkKnownRoots(pinnedRoot, before.roots, files);
      const newRoots = walk.accepted.map(({ version }) => version);
      let learned: TufMemory = { ...before, roots: [...before.roots, ...walk.accepted] };
      const refuse = (fault: Refused): Verdict => ({
        ...fault,
        memory: { ...memory, tuf: learned },
        newRoots,
      });
      if (walk.kind === 'refused') return refuse(refused(walk.code, walk.message));

      const { root } = walk;
      const time = trustedTime(now, memory.latest_issued);
      const kept: TufKept = {
        remembered: (role) =>
          before.marks.filter((mark) => mark.role === role).map(({ document }) => Buffer.from(document)),
        accept(role, metadata) {
          if (role !== 'timestamp' && role !== 'snapshot') return;
          learned = mergeTufMemory(learned, {
            ...EMPTY_TUF_MEMORY,
            marks: [markOf(role, metadata, tufKeySet(root, role))],
          });
        },
      };
      const topLevel = await refreshTopLevel(root, files, kept, time);
      if (topLevel.kind === 'refused') return refuse(topLevel);
      const again = timestampFault(topLevel, memory);
      if (again !== null) return refuse(again);

      const believed = await believeRelease(
        createTargetFinder(topLevel, files, kept, time),
        snapshot,
        tenant,
        time,
      );
      if (believed.kind === 'refused') return refuse(await firstMissing(believed, topLevel, files));
      const keys = tufKeySet(root, 'timestamp');
      const { version } = topLevel.timestamp.signed;
      const { custom, triggerKeys } = believed;
      learned = mergeTufMemory(learned, {
        ...EMPTY_TUF_MEMORY,
        trigger_keys: [{ keys, version, document: triggerKeys }],
      });
      const roles = [topLevel.timestamp, topLevel.snapshot, ...believed.roles];
      return {
        kind: 'verified',
        statement: {
          seq: version,
          expires: firstExpiry(roles),
          ...(custom.version === undefined ? {} : { version: custom.version }),
          ...(custom.min_agent === undefined ? {} : { min_agent: custom.min_agent }),
        },
        manifest: believed.manifest,
        policy: believed.policy,
        rootVersion: root.signed.version,
        seq: { keys, value: version },
        memory: {
          ...mergeMemory(memory, {
            roots: [],
            seq: [{ keys, value: version, payload_sha256: topLevel.timestamp.signedSha256 }],
            latest_issued:
              custom.issued === undefined ? null : learnTime(now, memory.latest_issued, custom.issued),
            signed_seen: true,
          }),
          tuf: learned,
        },
        newRoots,
        warnings: [...ignoredPolicy(snapshot, believed.policy), ...expiryWarnings(root, roles, time)],
      };
    },
  };
}

/**
 * Whoever collects the files of a commit stops at a snapshot that is not there, and the one remembered does instead: then the file
 * to publish is the snapshot, and not what it would have led to.
 */
async function firstMissing(
  fault: Refused,
  { root, snapshot }: TufTopLevel,
  files: TufFiles,
): Promise<Refused> {
  if (fault.code !== 'tuf_metadata_missing') return fault;
  const { consistent_snapshot: versioned } = root.signed;
  const name = tufFileName('snapshot', versioned ? snapshot.signed.version : null);
  return (await files.read(name, TUF_MAX_BYTES.snapshot)) === 'missing' ? missingMetadata(name) : fault;
}

function filesOf(snapshot: Snapshot): TufFiles {
  return {
    read: async (name, maxBytes) => {
      const bytes = snapshot.files.get(`${TUF_FOLDER}/${name}`);
      if (bytes === undefined) return 'missing';
      return bytes.byteLength > maxBytes ? 'too_large' : bytes;
    },
  };
}

function markOf(
  role: 'timestamp' | 'snapshot',
  { signed, signedSha256, bytes }: Metadata<TopLevelRole>,
  keys: string,
): TufMemory['marks'][number] {
  const document = Buffer.from(bytes).toString('utf8');
  return { role, keys, version: signed.version, payload_sha256: signedSha256, document };
}

/** Against the third place that remembers, `current.json`, which knows the number alone; and an alarm where one number says two things. */
function timestampFault({ root, timestamp, conflicting }: TufTopLevel, memory: TrustMemory): Refused | null {
  const { version } = timestamp.signed;
  const keys = tufKeySet(root, 'timestamp');
  const highest = memory.seq.find((mark) => mark.keys === keys);
  if (highest !== undefined && version < highest.value) {
    const message = `timestamp.json: expected version ${highest.value} or more, found ${version}: older metadata was put back; publish what is newest`;
    return refused('tuf_rollback', message);
  }
  const other =
    highest !== undefined &&
    highest.value === version &&
    highest.payload_sha256 !== null &&
    highest.payload_sha256 !== timestamp.signedSha256;
  return conflicting || other ? equivocation('timestamp.json', version) : null;
}

interface BelievedRelease {
  readonly kind: 'believed';
  readonly manifest: Uint8Array;
  readonly policy: Uint8Array | null;
  readonly custom: TufReleaseCustom;
  /** Exact text, or null. */
  readonly triggerKeys: string | null;
  /** Targets metadata on the way to what was taken. */
  readonly roles: readonly Metadata<'targets'>[];
}

async function believeRelease(
  targets: TufTargetFinder,
  snapshot: Snapshot,
  tenant: string,
  time: Date,
): Promise<BelievedRelease | Refused> {
  const manifest = await targets.find(targetPath(tenant, MANIFEST_FILE));
  if (manifest.kind === 'refused') return manifest;
  if (manifest.kind === 'unlisted')
    return refused('tuf_target_missing', `${manifest.message}; sign ${MANIFEST_FILE} under that path`);
  const bytes = boundBytes(snapshot, MANIFEST_FILE, manifest.target, [
    'manifest_missing',
    'manifest_mismatch',
  ]);
  if (!(bytes instanceof Uint8Array)) return bytes;
  const custom = readCustom(manifest.target, time);
  if (custom.kind === 'refused') return custom;

  const policy = await targets.find(targetPath(tenant, POLICY_FILE));
  if (policy.kind === 'refused') return policy;
  const policyBytes = boundIfListed(snapshot, POLICY_FILE, policy, ['policy_missing', 'policy_mismatch']);
  if (policyBytes !== null && !(policyBytes instanceof Uint8Array)) return policyBytes;

  const trigger = await targets.find(targetPath(tenant, TRIGGER_KEYS_FILE));
  if (trigger.kind === 'refused') return trigger;
  const code = 'tuf_trigger_keys_invalid';
  const triggerBytes = boundIfListed(snapshot, TRIGGER_KEYS_FILE, trigger, [code, code]);
  if (triggerBytes !== null && !(triggerBytes instanceof Uint8Array)) return triggerBytes;
  if (triggerBytes !== null) {
    const keys = readTriggerKeys(triggerBytes);
    if (keys.kind === 'refused') return keys;
  }
  return {
    kind: 'believed',
    manifest: bytes,
    policy: policyBytes,
    custom: custom.value,
    triggerKeys: triggerBytes === null ? null : Buffer.from(triggerBytes).toString('utf8'),
    roles: [manifest, policy, trigger].flatMap((search) => (search.kind === 'found' ? search.roles : [])),
  };
}

type Codes = readonly [Refused['code'], Refused['code']];

function boundIfListed(
  snapshot: Snapshot,
  file: string,
  search: Exclude<TargetSearch, Refused>,
  codes: Codes,
): Uint8Array | null | Refused {
  return search.kind === 'unlisted' ? null : boundBytes(snapshot, file, search.target, codes);
}

function boundBytes(
  snapshot: Snapshot,
  file: string,
  target: TufTarget,
  [missing, mismatch]: Codes,
): Uint8Array | Refused {
  const bytes = snapshot.files.get(file);
  if (bytes === undefined) {
    return refused(
      missing,
      `expected ${file}, which the TUF targets bind, found none; put it back or sign targets without it`,
    );
  }
  const differs = bytesFault(bytes, target);
  if (differs === null) return bytes;
  return refused(mismatch, `${file}: ${differs}; sign targets for the file as it is`);
}

function readCustom(target: TufTarget, time: Date): { kind: 'custom'; value: TufReleaseCustom } | Refused {
  const parsed = TufReleaseCustom.safeParse(target.custom ?? {});
  if (!parsed.success) {
    return refused(
      'document_malformed',
      `custom of the target ${MANIFEST_FILE}: ${firstFault(parsed.error)}`,
    );
  }
  const { issued } = parsed.data;
  if (issued !== undefined && Date.parse(issued) > time.getTime() + ISSUED_AHEAD_MS) {
    const message = `custom of the target ${MANIFEST_FILE}: expected a release issued at most 24 h ahead of this machine's clock, found ${issued}; check the clocks`;
    return refused('issued_in_future', message);
  }
  return { kind: 'custom', value: parsed.data };
}

function ignoredPolicy(snapshot: Snapshot, policy: Uint8Array | null): VerifiedRelease['warnings'] {
  if (policy !== null || !snapshot.files.has(POLICY_FILE)) return [];
  const message = `${POLICY_FILE} is on the branch but no TUF target binds it: it is ignored`;
  return [{ reason: 'PolicyIgnored', message }];
}
