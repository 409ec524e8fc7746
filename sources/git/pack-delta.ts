import { GitFault, malformed } from './git-fault.ts';

/**
 * The object that `delta` makes of `base`, at most `maxBytes` long. Every copy and insert is checked against both ends.
 * Source: gitformat-pack "deltified representation".
 */
export function applyDelta(base: Uint8Array, delta: Uint8Array, maxBytes: number): Buffer {
  const sizes = deltaSizes(delta);
  if (sizes.base !== base.length) {
    throw malformed(`expected a delta on ${base.length} bytes, found one on ${sizes.base}`);
  }
  if (sizes.result > maxBytes) {
    throw new GitFault(
      'source_too_large',
      `expected a git object of at most ${maxBytes} bytes, found a delta that makes ${sizes.result}`,
    );
  }
  const result = Buffer.allocUnsafe(sizes.result);
  let at = sizes.end;
  let written = 0;
  const byte = () => {
    const found = delta[at];
    if (found === undefined) throw malformed('expected a whole delta, found one that breaks off');
    at += 1;
    return found;
  };
  while (at < delta.length) {
    const instruction = byte();
    let source = delta;
    let from = at;
    let length = instruction;
    if (instruction >= 128) {
      source = base;
      from = 0;
      length = 0;
      for (let bit = 0; bit < 4; bit += 1) if (instruction & (1 << bit)) from += byte() * 2 ** (8 * bit);
      for (let bit = 0; bit < 3; bit += 1) if (instruction & (16 << bit)) length += byte() * 2 ** (8 * bit);
      if (length === 0) length = 0x10000;
    } else {
      if (instruction === 0) throw malformed('expected an instruction of a delta, found the reserved one');
      at += length;
    }
    if (from + length > source.length || written + length > result.length) {
      throw malformed('expected a delta within its object, found one that goes beyond it');
    }
    result.set(source.subarray(from, from + length), written);
    written += length;
  }
  if (written !== result.length) {
    throw malformed(`expected a delta that makes ${result.length} bytes, found ${written}`);
  }
  return result;
}

/** The two sizes at the beginning of a delta, and where its instructions begin. */
export function deltaSizes(delta: Uint8Array): { base: number; result: number; end: number } {
  let at = 0;
  const size = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const current = delta[at];
      if (current === undefined || scale > 2 ** 42) throw malformed('expected a delta, found other bytes');
      at += 1;
      value += (current & 127) * scale;
      if (current < 128) return value;
    }
  };
  return { base: size(), result: size(), end: at };
}
