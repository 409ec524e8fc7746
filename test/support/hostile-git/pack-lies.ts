import { createHash } from 'node:crypto';
import type { Lie } from '../hostile-git-server.ts';
import { at, FLUSH, packIn, preamble, sideBand } from './telling.ts';

const malformed = { exit: 5, code: 'source_malformed' } as const;
const tooLarge = { exit: 5, code: 'source_too_large' } as const;

/** git's own pack, changed. */
const changed = (change: (pack: Buffer) => Buffer) =>
  at('pack', async (exchange) => {
    const { body } = await exchange.honest();
    // What says that nothing leads here stays as it is.
    if (!body.includes('packfile\n')) return exchange.answer({ body });
    const pack = change(packIn(body));
    exchange.answer({ body: Buffer.concat([preamble(exchange.question), sideBand(pack), FLUSH]) });
  });
const withTrailer = (body: Buffer) => Buffer.concat([body, createHash('sha1').update(body).digest()]);
const counting = (pack: Buffer, change: number) => {
  const body = Buffer.from(pack.subarray(0, -20));
  body.writeUInt32BE(body.readUInt32BE(8) + change, 8);
  return withTrailer(body);
};

/** Where a pack is cut: bytes from its beginning, or from its end when negative. */
const CUTS: readonly (readonly [string, number])[] = [
  ['before its first byte', 0],
  ['inside its header', 7],
  ['after its header', 12],
  ['inside its first object', 20],
  ['before its checksum', -20],
  ['inside its checksum', -5],
];

/** In the pack as a whole: git's own, changed (gitformat-pack). */
export const PACK_LIES: readonly Lie[] = [
  ...CUTS.map(
    ([where, bytes]): Lie => ({
      what: `cuts the pack off ${where}`,
      ...malformed,
      tell: changed((pack) => pack.subarray(0, bytes)),
    }),
  ),
  ...CUTS.slice(2, 4).map(
    ([where, bytes]): Lie => ({
      what: `cuts the pack off ${where} and gives it a checksum of its own`,
      ...malformed,
      tell: changed((pack) => withTrailer(pack.subarray(0, bytes))),
    }),
  ),
  { what: 'turns one bit of the pack', ...malformed, tell: changed(flipped) },
  {
    what: 'turns one bit of the pack and gives it a checksum of its own',
    ...malformed,
    tell: changed((pack) => withTrailer(flipped(pack).subarray(0, -20))),
  },
  { what: 'counts one object too many', ...malformed, tell: changed((pack) => counting(pack, 1)) },
  { what: 'counts one object too few', ...malformed, tell: changed((pack) => counting(pack, -1)) },
  {
    what: 'counts four thousand million objects',
    ...tooLarge,
    tell: changed((pack) => counting(pack, 0xf0000000)),
  },
  {
    what: 'sends a pack of another version',
    ...malformed,
    tell: changed((pack) =>
      withTrailer(Buffer.concat([Buffer.from('PACK\0\0\0\u0009'), pack.subarray(8, -20)])),
    ),
  },
  {
    what: 'sends one pack after another',
    ...malformed,
    tell: changed((pack) => Buffer.concat([pack, pack])),
  },
  {
    what: 'lets bytes follow the last object',
    ...malformed,
    tell: changed((pack) => withTrailer(Buffer.concat([pack.subarray(0, -20), Buffer.from('and more')]))),
  },
  {
    what: 'sends the blocks of the pack in another order',
    ...malformed,
    tell: changed((pack) => Buffer.concat([pack.subarray(40), pack.subarray(0, 40)])),
  },
];

function flipped(pack: Buffer): Buffer {
  const copy = Buffer.from(pack);
  const at = Math.floor(copy.length / 2);
  copy[at] = (copy[at] as number) ^ 16;
  return copy;
}
