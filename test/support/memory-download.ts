import { createHash } from 'node:crypto';
import type { PartialDownload } from '../../reconciler/ports.ts';

export interface MemoryDownload extends PartialDownload {
  readonly content: Buffer;
  /** Calls in order: `restart "v1"`, `finish`, `keep`. */
  readonly calls: string[];
  /** Thrown by the next write. */
  failWith(error: Error): void;
}

/** A partial download in memory, with what an interrupted one left. The real one is the store's. */
export function memoryDownload(
  sha256: string,
  left?: { content: Uint8Array; validator: string | null },
): MemoryDownload {
  let content = Buffer.from(left?.content ?? []);
  let validator = left?.validator ?? null;
  let failure: Error | null = null;
  const calls: string[] = [];
  return {
    sha256,
    calls,
    get content() {
      return content;
    },
    get offset() {
      return content.byteLength;
    },
    get validator() {
      return validator;
    },
    async restart(tag) {
      calls.push(`restart ${tag}`);
      content = Buffer.alloc(0);
      validator = tag;
    },
    async write(chunk) {
      if (failure !== null) throw failure;
      content = Buffer.concat([content, chunk]);
    },
    async finish() {
      calls.push('finish');
      const found = createHash('sha256').update(content).digest('hex');
      const bytes = content.byteLength;
      return found === sha256 ? { kind: 'verified', bytes } : { kind: 'mismatch', found, bytes };
    },
    async keep() {
      calls.push('keep');
    },
    failWith(error) {
      failure = error;
    },
  };
}
