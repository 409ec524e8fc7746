import type { Exchange, Lie } from '../hostile-git-server.ts';
import { pktLine } from '../pack-maker.ts';
import { at, preamble, refLines } from './telling.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-result\r\n\r\n';
const ESCAPES = '\u001b[2J\u001b]0;owned\u0007\u009b31m\r\n\u202eextra line';

/** Instead of the listing of the branch. */
const listing = (body: Buffer | string) =>
  at('branch', (exchange) => exchange.answer({ body: Buffer.from(body as string) }));
/** Instead of the pack; what comes before it is as it should be. */
const inPack = (body: (exchange: Exchange) => Buffer) =>
  at('pack', (exchange) =>
    exchange.answer({ body: Buffer.concat([preamble(exchange.question), body(exchange)]) }),
  );
const band = (number: number, text: string | Buffer) =>
  pktLine(Buffer.concat([Buffer.from([number]), Buffer.from(text as string)]));
const malformed = { exit: 5, code: 'source_malformed' } as const;
const tooLarge = { exit: 5, code: 'source_too_large' } as const;

/** In the frames of git's own protocol (gitprotocol-common, pkt-line; gitprotocol-v2). */
export const PACKET_LIES: readonly Lie[] = [
  { what: 'breaks off inside the length of a packet', ...malformed, tell: listing('00') },
  { what: 'breaks off inside a packet', ...malformed, tell: listing('0032aaaaaaaa') },
  { what: 'ends a listing without its flush', ...malformed, tell: listing(refLines().subarray(0, 0)) },
  { what: 'sends a packet of more bytes than git allows', ...malformed, tell: listing('fff5aaaa') },
  { what: 'sends a packet shorter than its own length', ...malformed, tell: listing('0003') },
  { what: 'sends lengths that are no digits', ...malformed, tell: listing('\u001b[2J0000') },
  {
    what: 'sends refs without end',
    ...tooLarge,
    tell: at('branch', (exchange) =>
      exchange.endless(HEAD, Buffer.concat(Array.from({ length: 500 }, (_, n) => ref(n)))),
    ),
  },
  {
    what: 'sends empty packets without end',
    ...tooLarge,
    tell: at('branch', (exchange) => exchange.endless(HEAD, '0004'.repeat(16_000))),
  },
  {
    what: 'says of itself without end',
    ...tooLarge,
    tell: at('capabilities', (exchange) =>
      exchange.endless(
        HEAD.replace('result', 'advertisement'),
        Buffer.concat([pktLine('version 2\n'), pktLine(`agent=${'x'.repeat(60_000)}\n`)]),
      ),
    ),
  },
  {
    what: 'begins a pack with a storm of flushes',
    ...malformed,
    tell: inPack(() => Buffer.from('0000'.repeat(20_000))),
  },
  { what: 'ends the answer where the pack should be', ...malformed, tell: inPack(() => Buffer.from('0002')) },
  {
    what: 'sends another section where the pack should be',
    ...malformed,
    tell: inPack(() => Buffer.from('0001')),
  },
  {
    what: 'fails in a side band with control characters of a terminal',
    exit: 5,
    code: 'server_error',
    tell: inPack(() => band(3, `fatal: ${ESCAPES}`)),
  },
  {
    what: 'sends an error packet with control characters of a terminal',
    exit: 5,
    code: 'server_error',
    tell: listing(Buffer.concat([pktLine(`ERR ${ESCAPES}`), Buffer.from('0000')])),
  },
  {
    what: 'reports an error of 60,000 characters',
    exit: 5,
    code: 'server_error',
    tell: listing(pktLine(`ERR ${'e'.repeat(60_000)}`)),
  },
  {
    what: 'reports progress without end',
    ...tooLarge,
    tell: at('pack', (exchange) => {
      exchange.raw(Buffer.concat([Buffer.from(HEAD), preamble(exchange.question)]));
      exchange.endless('', band(2, ESCAPES.repeat(1_500)));
    }),
  },
  {
    what: 'sends a pack without end',
    ...tooLarge,
    tell: at('pack', (exchange) => {
      exchange.raw(Buffer.concat([Buffer.from(HEAD), preamble(exchange.question)]));
      exchange.endless('', band(1, Buffer.alloc(65_000, 'PACK')));
    }),
  },
  {
    what: 'acknowledges without end',
    ...tooLarge,
    tell: at('pack', (exchange) => {
      exchange.raw(HEAD);
      exchange.endless(pktLine('acknowledgments\n').toString(), pktLine(`NAK${' '.repeat(60_000)}`));
    }),
  },
  {
    what: 'cuts the history off at more commits than anybody has',
    ...tooLarge,
    tell: at('pack', (exchange) => {
      const line = (n: number) => pktLine(`shallow ${n.toString(16).padStart(40, '0')}`);
      const lines = Array.from({ length: 70_000 }, (_, n) => line(n));
      exchange.answer({ body: Buffer.concat([pktLine('shallow-info\n'), ...lines, Buffer.from('0000')]) });
    }),
  },
  {
    what: 'cuts the history off at something that is no commit',
    ...malformed,
    tell: at('pack', (exchange) => {
      const lines = [pktLine('shallow-info\n'), pktLine('shallow ../../../etc/passwd'), Buffer.from('0001')];
      exchange.answer({ body: Buffer.concat(lines) });
    }),
  },
  ...['packfile-uris', 'wanted-refs', 'nothing-known'].map(
    (section): Lie => ({
      what: `sends the section ${section}, which nobody asked for`,
      ...malformed,
      tell: at('pack', (exchange) => {
        const uri = `${'a'.repeat(40)} https://elsewhere.example/pack.pack\n`;
        const parts = [pktLine(`${section}\n`), pktLine(uri), Buffer.from('0001'), preamble('')];
        exchange.answer({ body: Buffer.concat(parts) });
      }),
    }),
  ),
  {
    what: 'speaks a version of the protocol that nobody knows',
    ...malformed,
    tell: at('capabilities', (exchange) =>
      exchange.answer({ body: Buffer.concat([pktLine('version 9\n'), Buffer.from('0000')]) }),
    ),
  },
  {
    what: 'speaks the old protocol and knows no side band',
    ...malformed,
    says: /side-band-64k/,
    tell: at('capabilities', (exchange) => {
      const { tip } = exchange.commits;
      const line = pktLine(`${tip} refs/heads/tenant/acme\0ofs-delta shallow\n`);
      exchange.answer({
        body: Buffer.concat([
          pktLine('# service=git-upload-pack\n'),
          Buffer.from('0000'),
          line,
          Buffer.from('0000'),
        ]),
      });
    }),
  },
  {
    what: 'has a repository of SHA-256 objects',
    ...malformed,
    says: /SHA-1/,
    tell: at('capabilities', (exchange) => {
      const lines = ['version 2\n', 'ls-refs\n', 'fetch=shallow\n', 'object-format=sha256\n'];
      exchange.answer({ body: Buffer.concat([...lines.map((line) => pktLine(line)), Buffer.from('0000')]) });
    }),
  },
  {
    what: 'says of itself nothing but its version',
    exit: 0,
    code: null,
    tell: at('capabilities', (exchange) =>
      exchange.answer({ body: Buffer.concat([pktLine('version 2\n'), Buffer.from('0000')]) }),
    ),
  },
];

function ref(n: number): Buffer {
  return pktLine(`${n.toString(16).padStart(40, 'a')} refs/heads/tenant/other-${n}${'x'.repeat(60)}\n`);
}
