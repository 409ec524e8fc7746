import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Lie } from '../hostile-git-server.ts';
import { at } from './telling.ts';

const TYPE = 'content-type: application/x-git-upload-pack-result\r\n';
const OK = `HTTP/1.1 200 OK\r\n${TYPE}`;
const bombBytes = () => Buffer.alloc(64 * 1_048_576);
const BOMBS = {
  gzip: () => gzipSync(bombBytes(), { level: 1 }),
  zstd: () => zstdCompressSync(bombBytes()),
  br: () => brotliCompressSync(bombBytes(), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
};

/** In the frame of an answer: what HTTP says about the body that follows. */
export const HTTP_FRAME_LIES: readonly Lie[] = [
  {
    what: 'speaks HTTP/1.0 and closes early',
    exit: 5,
    code: 'source_malformed',
    says: /breaks off/,
    tell: at('branch', async (exchange) => {
      const { body } = await exchange.honest();
      exchange
        .raw(Buffer.concat([Buffer.from(`HTTP/1.0 200 OK\r\n${TYPE}\r\n`), body.subarray(0, 30)]))
        .end();
    }),
  },
  {
    what: 'speaks HTTP/1.0 and says all there is to say',
    exit: 0,
    code: null,
    tell: at(['branch', 'pack'], async (exchange) => {
      const { body } = await exchange.honest();
      exchange.raw(Buffer.concat([Buffer.from(`HTTP/1.0 200 OK\r\n${TYPE}\r\n`), body])).end();
    }),
  },
  {
    what: 'answers without HTTP',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', async (exchange) => void exchange.raw((await exchange.honest()).body).end()),
  },
  {
    what: 'promises more bytes than it sends',
    exit: 5,
    code: 'network',
    tell: at('pack', async (exchange) => {
      const { body } = await exchange.honest();
      exchange.raw(`${OK}content-length: ${body.length + 1_000}\r\n\r\n`);
      exchange.raw(body.subarray(0, -40)).end();
    }),
  },
  {
    what: 'sends more bytes than it promises',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', async (exchange) => {
      const { body } = await exchange.honest();
      exchange.raw(Buffer.concat([Buffer.from(`${OK}content-length: ${body.length - 20}\r\n\r\n`), body]));
    }),
  },
  {
    what: 'promises two different lengths',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', async (exchange) => {
      const { body } = await exchange.honest();
      exchange.raw(`${OK}content-length: ${body.length}\r\ncontent-length: 7\r\n\r\n`);
      exchange.raw(body).end();
    }),
  },
  {
    what: 'promises both a length and chunks',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) => {
      exchange
        .raw(`${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0000\r\n0\r\n\r\n`)
        .end();
    }),
  },
  {
    what: 'sends chunks whose sizes are no numbers',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) => {
      exchange.raw(`${OK}transfer-encoding: chunked\r\n\r\n5\r\n0032a\r\nzz\r\nnever\r\n`).end();
    }),
  },
  {
    what: 'sends a chunk without end of its extension',
    exit: 5,
    code: 'source_malformed',
    tell: at('pack', (exchange) =>
      exchange.endless(`${OK}transfer-encoding: chunked\r\n\r\n5;x=`, 'x'.repeat(60_000)),
    ),
  },
  {
    what: 'sends trailers without end',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) =>
      exchange.endless(`${OK}transfer-encoding: chunked\r\n\r\n0\r\n`, `x-more: ${'y'.repeat(60_000)}\r\n`),
    ),
  },
  {
    what: 'sends headers without end',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) => exchange.endless(OK, `x-more: ${'y'.repeat(60_000)}\r\n`)),
  },
  {
    what: 'sends headers that are none',
    exit: 5,
    code: 'source_malformed',
    tell: at(
      'capabilities',
      (exchange) => void exchange.raw('HTTP/1.1 200 OK\r\n\u001b[2Jno header\r\n\r\n').end(),
    ),
  },
  {
    what: 'puts control characters of a terminal into its content type',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) =>
      exchange.answer({ headers: { 'content-type': 'text/\u009b31m\u009b2J; a=b' } }),
    ),
  },
  {
    what: 'names a content encoding of control characters, 8 KiB long',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) =>
      exchange.answer({
        headers: { 'content-encoding': '\u009b2J'.repeat(3_000) },
        body: Buffer.from('0000'),
      }),
    ),
  },
  ...(['gzip', 'zstd', 'br'] as const).map(
    (encoding): Lie => ({
      what: `answers with a bomb in ${encoding}`,
      exit: 5,
      code: 'source_malformed',
      says: /content encoding/,
      tell: at('pack', (exchange) =>
        exchange.answer({ headers: { 'content-encoding': encoding }, body: BOMBS[encoding]() }),
      ),
    }),
  ),
  {
    what: 'compresses the transfer',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) => {
      exchange.raw(`${OK}transfer-encoding: gzip, chunked\r\n\r\n`);
      const piece = BOMBS.gzip();
      exchange
        .raw(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece]))
        .end('\r\n0\r\n\r\n');
    }),
  },
];
