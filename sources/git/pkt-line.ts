import { malformed } from './git-fault.ts';

/** Longest packet git allows: 4 digits of length and 65,516 bytes (gitprotocol-common). */
const MAX_PACKET = 65_520;

export type Packet =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'flush' }
  | { readonly kind: 'delimiter' }
  | { readonly kind: 'end' };

/** One data packet; text gets no newline of its own. */
export function packet(text: string): string {
  return (Buffer.byteLength(text) + 4).toString(16).padStart(4, '0') + text;
}
export const FLUSH = '0000';
export const DELIMITER = '0001';

export interface PacketReader {
  /** The next packet, or null when the answer ended between two packets. Throws `source_malformed` within one. */
  next(): Promise<Packet | null>;
  /** The next packet as text without its newline, or null for anything that is no data. Throws at the end of the answer. */
  line(): Promise<string | null>;
}

/** Cuts an answer into packets (gitprotocol-common, pkt-line). Holds one packet and one chunk in memory at most. */
export function createPacketReader(body: AsyncIterable<Uint8Array>): PacketReader {
  const chunks = body[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  const fill = async (wanted: number): Promise<boolean> => {
    if (held.length >= wanted) return true;
    const parts = [held];
    let length = held.length;
    while (length < wanted) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      length += value.byteLength;
    }
    held = Buffer.concat(parts, length);
    return length >= wanted;
  };

  const next = async (): Promise<Packet | null> => {
    if (!(await fill(4))) {
      if (held.length === 0) return null;
      throw brokenOff();
    }
    const digits = held.toString('latin1', 0, 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
      throw malformed(
        `expected a git packet of four hexadecimal digits of length, found ${JSON.stringify(digits)}; is the URL that of a git repository?`,
      );
    }
    const length = Number.parseInt(digits, 16);
    if (length === 3 || length > MAX_PACKET) {
      throw malformed(`expected a git packet of 4-${MAX_PACKET} bytes, found one of ${length}`);
    }
    if (length < 4) {
      held = held.subarray(4);
      return { kind: length === 0 ? 'flush' : length === 1 ? 'delimiter' : 'end' };
    }
    if (!(await fill(length))) throw brokenOff();
    const bytes = held.subarray(4, length);
    held = held.subarray(length);
    return { kind: 'data', bytes };
  };

  return {
    next,
    async line() {
      const found = await next();
      if (found === null) throw brokenOff();
      return found.kind === 'data' ? found.bytes.toString('utf8').replace(/\n$/, '') : null;
    },
  };
}

function brokenOff() {
  return malformed('expected a whole answer of the git server, found one that breaks off; will ask again');
}

/** A server's own words, fit for a log: one line, printable, short. */
export function quoted(words: string): string {
  const clean = words
    .replace(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .trim()
    .slice(0, 200);
  return JSON.stringify(clean);
}
