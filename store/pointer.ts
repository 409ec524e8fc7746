import { hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Clock, PointerChange, StateDocuments } from '../reconciler/ports.ts';
import type { Held, SeqMark } from '../schemas/current.ts';
import { Current, EMPTY_CURRENT } from '../schemas/current.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { printable } from '../system/printable.ts';
import { namingDiskFull } from './io-setback.ts';

const POINTER_MAX_BYTES = 64 * 1024 * 1024;
/** The digest of the pointer that the database followed last. */
const FOLLOWED_KEY = 'store/followed';

/** `current.json` cannot be read or believed. Never taken for an empty one: what it named would be thrown away. */
export class PointerError extends Error {
  constructor(path: string, found: string, options?: { cause?: unknown }) {
    super(
      `expected the pointer in ${path}, found ${found}; restore the file from a backup, or remove it to begin without active versions`,
      options,
    );
    this.name = 'PointerError';
  }
}

export interface Pointer {
  /** As last written or read; read from disk at the first call. Throws `PointerError`. */
  current(): Current;
  /** Reads the file again. Throws `PointerError`. */
  reload(): Current;
  /** True when the database had to be brought up. */
  follow(): boolean;
  /**
   * Crash protocol 7 and 8. Changes that come while a write is under way are written together by the next one, in their order.
   * `alongside` runs in the transaction in which the database follows. Rejects with `DiskFullError` or the system's error, and
   * then the pointer has not changed; or with the database's, and then it has: the next recovery brings the database up.
   */
  change(change: (current: Current) => Current, alongside?: () => void): Promise<Current>;
}

interface Waiting {
  readonly change: (current: Current) => Current;
  readonly alongside: (() => void) | undefined;
  readonly resolve: (current: Current) => void;
  readonly reject: (error: unknown) => void;
}

interface Known {
  readonly current: Current;
  /** Of the file's text; null when there is no file. */
  readonly digest: string | null;
}

export function createPointer(path: string, documents: StateDocuments): Pointer {
  let known: Known | null = null;
  let queue: Waiting[] = [];
  let writing = false;

  const reload = () => {
    known = readPointer(path);
    return known.current;
  };
  const current = () => known?.current ?? reload();

  const writeGroup = async (waiting: readonly Waiting[]) => {
    const group: Waiting[] = [];
    let next: Current;
    try {
      next = current();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      return;
    }
    for (const one of waiting) {
      try {
        next = one.change(next);
        group.push(one);
      } catch (error) {
        one.reject(error);
      }
    }
    if (group.length === 0) return;
    try {
      const text = `${JSON.stringify(next, null, 2)}\n`;
      await writeFileAtomically(path, text, { mode: 0o644 });
      known = { current: next, digest: hash('sha256', text) };
      documents.transaction(() => {
        documents.write(FOLLOWED_KEY, known?.digest);
        for (const { alongside } of group) alongside?.();
      });
      for (const { resolve } of group) resolve(next);
    } catch (error) {
      const named = namingDiskFull(error, path);
      for (const { reject } of group) reject(named);
    }
  };
  const writeQueue = async () => {
    writing = true;
    // One turn of the loop, so that flows that finish together are one group.
    await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0) {
      const group = queue;
      queue = [];
      await writeGroup(group);
    }
    writing = false;
  };

  return {
    current,
    reload,
    follow() {
      const { digest } = known ?? readPointer(path);
      if (documents.read(FOLLOWED_KEY) === digest) return false;
      documents.write(FOLLOWED_KEY, digest);
      return true;
    },
    change: (change, alongside) =>
      new Promise((resolve, reject) => {
        queue.push({ change, alongside, resolve, reject });
        if (!writing) void writeQueue();
      }),
  };
}

/** What `point` makes of the pointer: `previous` is what was active, and stays when the same version is pointed at again. */
export function applyChanges(
  current: Current,
  changes: readonly PointerChange[],
  seq: SeqMark | null,
  clock: Clock,
): Current {
  const flows = { ...current.flows };
  for (const { flow, to } of changes) {
    const before = flows[flow];
    if (to === null) {
      delete flows[flow];
    } else if (before?.path === to.path && before.sha256 === to.sha256) {
      flows[flow] = { ...before, revision: to.revision, held: to.held };
    } else {
      flows[flow] = {
        ...to,
        activated_at: clock.now().toISOString(),
        previous:
          before === undefined ? null : { version: before.version, sha256: before.sha256, path: before.path },
      };
    }
  }
  return { ...current, seq: laterSeq(current.seq, seq), flows };
}

export function applyHeld(current: Current, flow: string, held: Held | null): Current {
  const before = current.flows[flow];
  if (before === undefined) throw new Error(`expected an active version of ${flow} to hold, found none`);
  return { ...current, flows: { ...current.flows, [flow]: { ...before, held } } };
}

/** `seq` never falls within a key set (contract, section 5); an unsigned release does not take it away. */
export function laterSeq(before: SeqMark | null, now: SeqMark | null): SeqMark | null {
  if (now === null) return before;
  return before !== null && before.keys === now.keys && before.value > now.value ? before : now;
}

function readPointer(path: string): Known {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > POINTER_MAX_BYTES) throw new PointerError(path, `${size} bytes, more than any pointer has`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { current: EMPTY_CURRENT, digest: null };
    if (error instanceof PointerError) throw error;
    throw new PointerError(path, `that it cannot be read (${(error as Error).message})`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PointerError(path, `no JSON (${printable((error as Error).message, 200)})`, { cause: error });
  }
  const parsed = Current.safeParse(value);
  if (parsed.success) return { current: parsed.data, digest: hash('sha256', text) };
  const [issue] = parsed.error.issues;
  throw new PointerError(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'another format'}`);
}
