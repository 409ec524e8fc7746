import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustMemory } from '../reconciler/ports.ts';
import { type Database, DatabaseError, openDatabase } from '../store/database.ts';
import { createStateDocuments } from '../store/documents.ts';
import { acquireLock } from '../store/state-lock.ts';
import { EMPTY_TRUST_MEMORY, mergeMemory, parseTrustMemory, TrustStateError } from '../trust/memory.ts';
import { walkRoots } from '../trust/root-walk.ts';
import { createCredentialsTrustFile, TRUST_STATE_FILE } from '../trust/trust-state-file.ts';
import { OperationError } from './operation-error.ts';
import type { AgentPaths } from './paths.ts';
import { TRUST_DOCUMENT } from './trust-memory.ts';
import { looksLikeTufRoot, tufMemoryFault } from './tuf-root.ts';

const LOCK_WAIT_MS = 3_000;

type Places = Pick<AgentPaths, 'credentials' | 'database' | 'lock' | 'state'>;

/**
 * Why this agent would refuse every release under a root it is being enrolled with: what it remembers belongs to another root of
 * trust, or is damaged. Null when it leads on from the new root, or there is nothing.
 */
export async function memoryFault(root: string, places: Places): Promise<string | null> {
  const { copies, damaged } = await readCopies(places);
  if (damaged !== null) return damaged;
  try {
    const { roots, tuf } = copies.reduce(mergeMemory, EMPTY_TRUST_MEMORY);
    if (looksLikeTufRoot(root)) return await tufMemoryFault(root, tuf?.roots ?? []);
    const walk = await walkRoots(root, roots, new Map());
    return walk.kind === 'refused' ? walk.message : null;
  } catch (error) {
    if (error instanceof TrustStateError) return error.message;
    throw error;
  }
}

/**
 * Forgets the roots that were accepted, because a person enrols this agent with another root of trust on purpose. The highest
 * `seq` of every key set, the time and the latch stay: an older release stays refused. The old file is kept as `.bak`.
 */
export async function restartTrust(places: Places, signal: AbortSignal): Promise<void> {
  const lock = await acquireLock(places.lock, {
    holder: { pid: process.pid, verb: 'enroll' },
    waitMs: LOCK_WAIT_MS,
    signal,
  });
  if (lock.kind === 'held') {
    const message = `expected the state in ${places.state} to be free, found it locked by a running agent; end it and repeat the command`;
    throw new OperationError('locked', message, { exitCode: 5 });
  }
  try {
    const { copies } = await readCopies(places);
    const kept = mergeWithoutRoots(copies);
    withDocuments(places.database, (documents) => documents.write(TRUST_DOCUMENT, kept));
    const file = join(places.credentials, TRUST_STATE_FILE);
    if (existsSync(file)) await rename(file, `${file}.bak`);
    await createCredentialsTrustFile(places.credentials).save(kept);
  } finally {
    lock.release();
  }
}

/** Copies that can be read; the first fault of one that cannot. */
async function readCopies(places: Places): Promise<{ copies: TrustMemory[]; damaged: string | null }> {
  const copies: TrustMemory[] = [];
  let damaged: string | null = null;
  const readers = [
    () => createCredentialsTrustFile(places.credentials).load(),
    () =>
      withDocuments(places.database, (documents) => {
        const value = documents.read(TRUST_DOCUMENT);
        return value === undefined || value === null
          ? EMPTY_TRUST_MEMORY
          : parseTrustMemory(value, 'agent.db');
      }) ?? EMPTY_TRUST_MEMORY,
  ];
  for (const read of readers) {
    try {
      copies.push(await read());
    } catch (error) {
      if (!(error instanceof TrustStateError)) throw error;
      damaged ??= error.message;
    }
  }
  return { copies, damaged };
}

/** Copies may contradict each other, which is one reason to start anew: then the numbers count and not what they were of. */
function mergeWithoutRoots(copies: readonly TrustMemory[]): TrustMemory {
  // what was believed of a TUF repository was signed under the root that is given up
  const rootless = copies.map(({ tuf: _tuf, ...copy }) => ({ ...copy, roots: [] }));
  try {
    return rootless.reduce(mergeMemory, EMPTY_TRUST_MEMORY);
  } catch (error) {
    if (!(error instanceof TrustStateError)) throw error;
    const numbers = rootless.map((copy) => ({
      ...copy,
      seq: copy.seq.map((mark) => ({ ...mark, payload_sha256: null })),
    }));
    return numbers.reduce(mergeMemory, EMPTY_TRUST_MEMORY);
  }
}

/** Undefined when there is no database: looking makes none. */
function withDocuments<T>(
  path: string,
  work: (documents: ReturnType<typeof createStateDocuments>) => T,
): T | undefined {
  if (!existsSync(path)) return undefined;
  let database: Database;
  try {
    database = openDatabase(path);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new OperationError('state_unusable', error.message, { exitCode: 4, cause: error });
  }
  try {
    return work(createStateDocuments(database));
  } finally {
    database.close();
  }
}
