import { z } from 'zod';
import type { TrustMemory, TufMemory } from '../reconciler/ports.ts';
import type { SeqMark } from '../schemas/current.ts';
import { Sha256, Timestamp } from '../schemas/names.ts';
import { PositiveSafeInteger } from '../schemas/release.ts';
import { printable } from '../system/printable.ts';

/** What is remembered cannot be used as it is. It is never reset by itself: a person must look at why. */
export class TrustStateError extends Error {
  override readonly name = 'TrustStateError';
}

export const EMPTY_TRUST_MEMORY: TrustMemory = {
  roots: [],
  seq: [],
  latest_issued: null,
  signed_seen: false,
};

export const EMPTY_TUF_MEMORY: TufMemory = { roots: [], marks: [], trigger_keys: [] };

const AcceptedRoots = z.array(
  z.strictObject({ version: PositiveSafeInteger, payload_sha256: Sha256, document: z.string().min(1) }),
);

const TufMemoryDocument = z.strictObject({
  roots: AcceptedRoots,
  marks: z.array(
    z.strictObject({
      role: z.enum(['timestamp', 'snapshot']),
      keys: Sha256,
      version: PositiveSafeInteger,
      payload_sha256: Sha256,
      document: z.string().min(1),
    }),
  ),
  trigger_keys: z.array(
    z.strictObject({ keys: Sha256, version: PositiveSafeInteger, document: z.string().min(1).nullable() }),
  ),
});

const TrustMemoryDocument = z.strictObject({
  roots: AcceptedRoots,
  seq: z.array(
    z.strictObject({ keys: Sha256, value: PositiveSafeInteger, payload_sha256: Sha256.nullable() }),
  ),
  latest_issued: Timestamp.nullable(),
  signed_seen: z.boolean(),
  tuf: TufMemoryDocument.optional(),
});

/** A copy as it was kept (a parsed JSON value); `where` names the copy in the `TrustStateError` it throws when damaged. */
export function parseTrustMemory(value: unknown, where: string): TrustMemory {
  const parsed = TrustMemoryDocument.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const fault = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'expected another form'}`;
  throw new TrustStateError(
    `${where}: expected what this agent remembers of releases, found it damaged (${printable(fault)}); restore it from a backup, or enrol this agent again`,
    { cause: parsed.error },
  );
}

/**
 * One memory from two copies: of each key set the highest `seq`, of roots all, the later `latest_issued`, the latch if either
 * has it. Commutative, associative and idempotent. Throws `TrustStateError` when the copies contradict each other (another root
 * under one version, another payload under one `seq`): honest copies only ever differ by being older.
 */
export function mergeMemory(a: TrustMemory, b: TrustMemory): TrustMemory {
  return {
    roots: mergeRoots(a.roots, b.roots),
    seq: mergeSeq(a.seq, b.seq),
    latest_issued: later(a.latest_issued, b.latest_issued),
    signed_seen: a.signed_seen || b.signed_seen,
    ...(a.tuf === undefined && b.tuf === undefined ? {} : { tuf: mergeTufMemory(a.tuf, b.tuf) }),
  };
}

/** The memory with the mark of `current.json` in it, the third place that knows a `seq` (contract, section 5). */
export function withSeqMark(memory: TrustMemory, mark: SeqMark | null): TrustMemory {
  if (mark === null || mark.value < 1) return memory;
  const seq = [{ keys: mark.keys, value: mark.value, payload_sha256: null }];
  return mergeMemory(memory, { roots: [], seq, latest_issued: null, signed_seen: true });
}

function mergeRoots(a: TrustMemory['roots'], b: TrustMemory['roots']): TrustMemory['roots'] {
  const byVersion = new Map<number, TrustMemory['roots'][number]>();
  for (const root of [...a, ...b]) {
    const before = byVersion.get(root.version);
    if (before !== undefined && before.payload_sha256 !== root.payload_sha256) {
      throw new TrustStateError(
        `expected one root of version ${root.version} in all copies of the trust state, found payloads ${before.payload_sha256} and ${root.payload_sha256}; restore them from a backup, or enrol this agent again`,
      );
    }
    // The same payload may come with other signatures; the choice must not depend on the order of the copies.
    if (before === undefined || root.document < before.document) byVersion.set(root.version, root);
  }
  return [...byVersion.values()].sort((one, other) => one.version - other.version);
}

function mergeSeq(a: TrustMemory['seq'], b: TrustMemory['seq']): TrustMemory['seq'] {
  const byKeys = new Map<string, TrustMemory['seq'][number]>();
  for (const mark of [...a, ...b]) {
    const before = byKeys.get(mark.keys);
    byKeys.set(mark.keys, before === undefined ? mark : higherMark(before, mark));
  }
  return [...byKeys.values()].sort((one, other) => (one.keys < other.keys ? -1 : 1));
}

function higherMark(
  a: TrustMemory['seq'][number],
  b: TrustMemory['seq'][number],
): TrustMemory['seq'][number] {
  if (a.value !== b.value) return a.value > b.value ? a : b;
  if (a.payload_sha256 === null || a.payload_sha256 === b.payload_sha256) return b;
  if (b.payload_sha256 === null) return a;
  throw new TrustStateError(
    `expected one release of seq ${a.value} in all copies of the trust state, found payloads ${a.payload_sha256} and ${b.payload_sha256}; restore them from a backup, or enrol this agent again`,
  );
}

/** Of every role and key set the newest; of the trigger keys those of the newest release. As `mergeMemory`. */
export function mergeTufMemory(a: TufMemory = EMPTY_TUF_MEMORY, b: TufMemory = EMPTY_TUF_MEMORY): TufMemory {
  return {
    roots: mergeRoots(a.roots, b.roots),
    marks: newestOf([...a.marks, ...b.marks], ({ role, keys }) => `${role} ${keys}`, newerMark),
    trigger_keys: newestOf([...a.trigger_keys, ...b.trigger_keys], ({ keys }) => keys, newerTriggerKeys),
  };
}

function newestOf<T>(all: readonly T[], nameOf: (item: T) => string, newer: (a: T, b: T) => T): T[] {
  const byName = new Map<string, T>();
  for (const item of all) {
    const before = byName.get(nameOf(item));
    byName.set(nameOf(item), before === undefined ? item : newer(before, item));
  }
  return [...byName].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, item]) => item);
}

type TufMark = TufMemory['marks'][number];

function newerMark(a: TufMark, b: TufMark): TufMark {
  if (a.version !== b.version) return a.version > b.version ? a : b;
  if (a.payload_sha256 === b.payload_sha256) return a.document < b.document ? a : b;
  throw new TrustStateError(
    `expected one ${a.role} of version ${a.version} in all copies of the trust state, found payloads ${a.payload_sha256} and ${b.payload_sha256}; restore them from a backup, or enrol this agent again`,
  );
}

type TriggerKeysMark = TufMemory['trigger_keys'][number];

function newerTriggerKeys(a: TriggerKeysMark, b: TriggerKeysMark): TriggerKeysMark {
  if (a.version !== b.version) return a.version > b.version ? a : b;
  if (a.document === b.document) return a;
  throw new TrustStateError(
    `expected one set of trigger keys of release ${a.version} in all copies of the trust state, found two; restore them from a backup, or enrol this agent again`,
  );
}

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  const [first, second] = [Date.parse(a), Date.parse(b)];
  if (first !== second) return first > second ? a : b;
  return a < b ? a : b;
}
