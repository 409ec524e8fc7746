import type { Lie } from '../hostile-git-server.ts';
import { pktLine } from '../pack-maker.ts';
import { at, preamble } from './telling.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-result\r\n\r\n';
const timeout = { exit: 5, code: 'timeout' } as const;

/** What takes time for ever: each ends at `source.timeout`. */
export const SLOW_LIES: readonly Lie[] = [
  {
    what: 'takes connections and never answers',
    ...timeout,
    connect(socket) {
      socket.resume();
      return true;
    },
  },
  { what: 'takes a question and never answers', ...timeout, tell: at('branch', () => {}) },
  {
    what: 'answers with one byte a second',
    ...timeout,
    tell: at('branch', (exchange) => exchange.endless(`${HEAD}0032`, 'a', 1_000)),
  },
  {
    what: 'sends its headers one byte a second',
    ...timeout,
    tell: at('branch', (exchange) => exchange.endless('HTTP/1.1 200 OK\r\nx-slow: ', 'a', 1_000)),
  },
  {
    what: 'asks to continue again and again',
    ...timeout,
    tell: at('branch', (exchange) => exchange.endless('', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(200), 5)),
  },
  {
    what: 'gives early hints again and again',
    ...timeout,
    tell: at('branch', (exchange) =>
      exchange.endless('', `HTTP/1.1 103 Early Hints\r\nlink: <${'x'.repeat(8_000)}>\r\n\r\n`, 5),
    ),
  },
  {
    what: 'does not end the answer after the listing',
    ...timeout,
    tell: at('branch', async (exchange) => {
      const { body } = await exchange.honest();
      exchange.raw(Buffer.concat([Buffer.from(HEAD), body]));
    }),
  },
  {
    what: 'redirects slowly to itself',
    ...timeout,
    tell: at('branch', (exchange) => {
      setTimeout(() => exchange.answer({ status: 307, headers: { location: exchange.path } }), 900);
    }),
  },
  {
    what: 'sends a pack one byte a second',
    ...timeout,
    tell: at('pack', (exchange) => {
      exchange.raw(Buffer.concat([Buffer.from(HEAD), preamble(exchange.question)]));
      exchange.endless('', pktLine(Buffer.from([1, 80])), 1_000);
    }),
  },
];

/** A floor of 1 KiB a second over 30 s, under a deadline that is longer. */
export const FLOOR_LIES: readonly Lie[] = [
  {
    what: 'answers with one byte a second, below the floor',
    ...timeout,
    says: /at least 30720 bytes in 30 s, found \d+; the server is too slow/,
    tell: at('branch', (exchange) => exchange.endless(`${HEAD}fff0`, 'a', 1_000)),
  },
  {
    what: 'reports progress just above the floor',
    ...timeout,
    says: /within .*ms/,
    tell: at('pack', (exchange) => {
      exchange.raw(Buffer.concat([Buffer.from(HEAD), preamble(exchange.question)]));
      exchange.endless('', pktLine(Buffer.concat([Buffer.from([2]), Buffer.alloc(1_400, '.')])), 1_000);
    }),
  },
];
