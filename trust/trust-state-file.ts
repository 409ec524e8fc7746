import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { TrustMemory, TrustMemoryStore } from '../reconciler/ports.ts';
import { removeAbandonedTemporaries, writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';
import { EMPTY_TRUST_MEMORY, mergeMemory, parseTrustMemory, TrustStateError } from './memory.ts';
import { parseStrictJson } from './strict-json.ts';

export const TRUST_STATE_FILE = 'trust-state.json';
const FORMAT = 1;
/** 1,024 roots of a usual size are 4 MiB; nobody without the root keys can make it grow. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * The copy of the trust state that lies with the credentials (0600), so that it outlives a deleted state directory. A file that
 * is not there is an empty memory; a damaged one throws `TrustStateError` and stays as it is: starting afresh in silence
 * would let an old release back in. `save` writes what is there merged with what is given, so it never lowers anything.
 */
export function createCredentialsTrustFile(credentialsDir: string): TrustMemoryStore {
  const path = join(credentialsDir, TRUST_STATE_FILE);
  let last: Promise<unknown> = Promise.resolve();

  async function load(): Promise<TrustMemory> {
    const file = await readSmallFile(path, MAX_BYTES);
    if (file.kind === 'absent') return EMPTY_TRUST_MEMORY;
    if (file.kind === 'too_large') throw damaged(path, `expected at most ${MAX_BYTES} bytes`);
    const json = parseStrictJson(file.bytes);
    if (json.kind === 'malformed') throw damaged(path, json.message);
    const { value } = json;
    if (typeof value !== 'object' || value === null || !('format' in value)) {
      throw damaged(path, 'expected an object with a format');
    }
    const { format, ...memory } = value;
    if (format !== FORMAT) {
      throw damaged(path, `expected format ${FORMAT}; an agent of another version may have written it`);
    }
    return parseTrustMemory(memory, path);
  }

  async function save(memory: TrustMemory): Promise<void> {
    await mkdir(credentialsDir, { recursive: true, mode: 0o700 });
    await removeAbandonedTemporaries(credentialsDir);
    const before = await load();
    const whole = mergeMemory(before, memory);
    // Every reconcile saves; one that taught nothing new writes nothing.
    if (isDeepStrictEqual(whole, before)) return;
    await writeFileAtomically(path, `${JSON.stringify({ format: FORMAT, ...whole }, null, 2)}\n`, {
      mode: 0o600,
    });
  }

  return {
    load,
    save(memory) {
      // One after the other: two saves at once would each merge with the file from before the other.
      const saved = last.then(
        () => save(memory),
        () => save(memory),
      );
      last = saved;
      return saved;
    },
  };
}

function damaged(path: string, fault: string): TrustStateError {
  return new TrustStateError(
    `${path}: expected what this agent remembers of releases, found it damaged (${fault}); restore it from a backup, or enrol this agent again`,
  );
}
