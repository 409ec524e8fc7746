const NEWLINE = 0x0a;

/** The JSON values of a stream of lines, each at most `maxBytes`; throws `RangeError` beyond, `SyntaxError` for no JSON. */
export async function* readJsonLines(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator {
  let pieces: Uint8Array[] = [];
  let length = 0;
  const take = (piece: Uint8Array) => {
    length += piece.length;
    if (length > maxBytes)
      throw new RangeError(`expected lines of at most ${maxBytes} bytes, found a longer one`);
    pieces.push(piece);
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end));
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      length = 0;
      start = end + 1;
      yield JSON.parse(line);
    }
    take(chunk.subarray(start));
  }
}
