/** What a `log` event has: bytes from `offset` of the stream on, in base64. */
export interface LogChunk {
  readonly offset: number;
  readonly data: string;
}

export interface LogChunks {
  /** The text of what is new in it. A character that is cut at its end comes with the next one. */
  take(chunk: LogChunk): string;
  /** Offset of the next byte: where to go on after a break. */
  readonly next: number;
}

/** Bytes of a stream in order, as text: what came before is not taken again, and characters may lie across two chunks. */
export function createLogChunks(from: number): LogChunks {
  let decoder = new TextDecoder();
  let next = from;
  return {
    get next() {
      return next;
    },
    take({ offset, data }) {
      const bytes = bytesOf(data);
      const end = offset + bytes.length;
      if (end <= next) return '';
      let before = '';
      if (offset > next) {
        // Never of this console; a hole is no reason to show half a character as a whole one.
        before = decoder.decode();
        decoder = new TextDecoder();
        next = offset;
      }
      const fresh = bytes.subarray(next - offset);
      next = end;
      return before + decoder.decode(fresh, { stream: true });
    },
  };
}

function bytesOf(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}
