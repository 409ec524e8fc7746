import type { Lie } from '../hostile-git-server.ts';
import { at } from './telling.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-result\r\n';

/** In what an answer of HTTP means: where it sends the agent, what it asks of it. */
export const HTTP_ANSWER_LIES: readonly Lie[] = [
  ...[
    ['a file', 'file:///etc/passwd', 302],
    ['nowhere', 'http://[', 302],
    ['a data URL', 'data:text/plain,0000', 307],
    [
      'itself with a user name',
      'http://mallory:secret@127.0.0.1:1/acme.git/info/refs?service=git-upload-pack',
      301,
    ],
    ['another port of this machine', 'http://127.0.0.1:1/acme.git/info/refs?service=git-upload-pack', 308],
    ['the address of a cloud’s metadata', 'http://169.254.169.254/latest/meta-data/', 307],
  ].map(
    ([name, location, status]): Lie => ({
      what: `redirects to ${name}`,
      exit: 5,
      code: 'redirect_refused',
      tell: at(['capabilities', 'branch'], (exchange) =>
        exchange.answer({ status: status as number, headers: { location: location as string } }),
      ),
    }),
  ),
  {
    what: 'redirects to itself for ever',
    exit: 5,
    code: 'redirect_refused',
    says: /at most 5 redirects/,
    tell: at(['capabilities', 'branch'], (exchange) =>
      exchange.answer({ status: 307, headers: { location: exchange.path } }),
    ),
  },
  {
    what: 'redirects a question so that it is lost',
    exit: 5,
    code: 'redirect_refused',
    says: /drops the question/,
    tell: at('branch', (exchange) => exchange.answer({ status: 302, headers: { location: exchange.path } })),
  },
  {
    what: 'redirects without an address',
    exit: 5,
    code: 'server_error',
    tell: at('branch', (exchange) => exchange.answer({ status: 302 })),
  },
  {
    what: 'asks for a password again and again',
    exit: 4,
    code: 'credentials_refused',
    tell: at(['capabilities', 'branch'], (exchange) =>
      exchange.answer({
        status: 401,
        headers: { 'www-authenticate': 'Basic realm="\u009b2JYour password, please: "' },
      }),
    ),
  },
  {
    what: 'refuses with a page that never ends',
    exit: 4,
    code: 'credentials_refused',
    tell: at(['capabilities', 'branch'], (exchange) =>
      exchange.endless('HTTP/1.1 403 No\r\ncontent-length: 60000\r\n\r\n', 'x', 100),
    ),
  },
  {
    what: 'asks for the password of a proxy',
    exit: 5,
    code: 'server_error',
    tell: at('branch', (exchange) =>
      exchange.answer({ status: 407, headers: { 'proxy-authenticate': 'Basic realm="proxy"' } }),
    ),
  },
  {
    what: 'shows a page to sign in',
    exit: 5,
    code: 'source_malformed',
    says: /text\/html/,
    tell: at('branch', (exchange) =>
      exchange.answer({
        headers: { 'content-type': 'text/html', 'set-cookie': 'session=stolen' },
        body: Buffer.from('<html>Sign in</html>'),
      }),
    ),
  },
  {
    what: 'sets cookies, says a date of another age, and is honest otherwise',
    exit: 0,
    code: null,
    async tell(exchange) {
      const { body, headers } = await exchange.honest();
      const date = 'Fri, 31 Dec 9999 23:59:59 GMT';
      exchange.answer({
        body,
        headers: { ...headers, 'set-cookie': 'session=stolen; Max-Age=999999999', date },
      });
      return true;
    },
  },
  ...[204, 206, 299, 304, 418, 500, 599].map(
    (status): Lie => ({
      what: `answers with status ${status}`,
      exit: 5,
      code: 'server_error',
      says: new RegExp(`found ${status}`),
      tell: at('branch', (exchange) => exchange.answer({ status, headers: { 'content-length': '0' } })),
    }),
  ),
  {
    what: 'answers with a status that is none',
    exit: 5,
    code: 'source_malformed',
    tell: at(
      'branch',
      (exchange) => void exchange.raw('HTTP/1.1 99999 What\r\ncontent-length: 0\r\n\r\n').end(),
    ),
  },
  {
    what: 'changes to another protocol',
    exit: 5,
    code: 'source_malformed',
    tell: at('branch', (exchange) =>
      exchange.endless('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', 'x'),
    ),
  },
  {
    what: 'asks to come again in ten years',
    exit: 5,
    code: 'server_error',
    tell: at('branch', (exchange) =>
      exchange.answer({ status: 503, headers: { 'retry-after': '315360000' } }),
    ),
  },
  {
    what: 'says that there is no repository',
    exit: 4,
    code: 'branch_missing',
    tell: at(['capabilities', 'branch'], (exchange) => exchange.answer({ status: 404 })),
  },
  {
    what: 'answers twice to one question',
    exit: 0,
    code: null,
    tell: at('branch', async (exchange) => {
      const { body } = await exchange.honest();
      const answer = Buffer.concat([Buffer.from(`${OK}content-length: ${body.length}\r\n\r\n`), body]);
      const other = `HTTP/1.1 500 Poison\r\ncontent-length: 0\r\n\r\n`;
      const socket = exchange.raw(answer);
      // The second one waits in the connection for the next question.
      setTimeout(() => socket.write(other), 20);
    }),
  },
  {
    what: 'closes every connection after its answer',
    exit: 0,
    code: null,
    async tell(exchange) {
      const { body, headers } = await exchange.honest();
      exchange.answer({ body, headers: { ...headers, connection: 'close' } });
      return true;
    },
  },
];
