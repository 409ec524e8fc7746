import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GitFault } from './git-fault.ts';

export interface MemoryDeps {
  /** Resident bytes of this process. */
  memoryBytes(): number;
  collectGarbage(): void;
}

/** So many bytes are made before memory is looked at; an object counts as a few more than it has. */
const LOOK_EVERY_BYTES = 16 * 1_048_576;
const BYTES_OF_AN_OBJECT = 256;

/**
 * To be told of every large allocation. Buffers lie outside V8's heap, where it collects them late and no flag bounds them: above half
 * of the cap they are collected at once, and what is still above the cap then is too much.
 */
export function createMemoryGuard(deps: MemoryDeps, maxBytes: number): (bytes: number) => void {
  let since = 0;
  return (bytes) => {
    since += bytes + BYTES_OF_AN_OBJECT;
    if (since < LOOK_EVERY_BYTES) return;
    since = 0;
    if (deps.memoryBytes() <= maxBytes / 2) return;
    deps.collectGarbage();
    const found = deps.memoryBytes();
    if (found <= maxBytes) return;
    throw new GitFault(
      'source_too_large',
      `expected a fetch within ${maxBytes} bytes of memory, found ${found}`,
    );
  };
}

/** Of the process this runs in. V8 shows its collector only when told to. */
export function processMemory(): MemoryDeps {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return { memoryBytes: () => process.memoryUsage.rss(), collectGarbage: collect };
}
