import { z } from 'zod';
import type { TrustMemory } from '../reconciler/ports.ts';
import type { SeqMark } from '../schemas/current.ts';
import { Sha256, Timestamp } from '../schemas/names.ts';
import { PositiveSafeInteger } from '../schemas/release.ts';

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

const TrustMemoryDocument = z.strictObject({
  roots: z.array(
    z.strictObject({ version: PositiveSafeInteger, payload_sha256: Sha256, document: z.string().min(1) }),
  ),
  seq: z.array(
    z.strictObject({ keys: Sha256, value: PositiveSafeInteger, payload_sha256: Sha256.nullable() }),
  ),
  latest_issued: Timestamp.nullable(),
  signed_seen: z.boolean(),
});

/** A copy as it was kept (a parsed JSON value); `where` names the copy in the `TrustStateError` it throws when damaged. */
export function parseTrustMemory(value: unknown, where: string): TrustMemory {
  const parsed = TrustMemoryDocument.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const fault = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'expected another form'}`;
  throw new TrustStateError(
    `${where}: expected what this agent remembers of releases, found it damaged (${fault}); restore it from a backup, or enrol this agent again`,
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

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  const [first, second] = [Date.parse(a), Date.parse(b)];
  if (first !== second) return first > second ? a : b;
  return a < b ? a : b;
}
