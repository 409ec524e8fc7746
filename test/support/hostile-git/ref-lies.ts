import type { Lie } from '../hostile-git-server.ts';
import { at, BRANCH, refLines } from './telling.ts';

const malformed = { exit: 5, code: 'source_malformed' } as const;
const harmless = { exit: 0, code: null } as const;
const ID = 'a'.repeat(40);

/** Names that git forbids, or that would leave a folder if anybody made files of them. */
const BAD_NAMES = [
  '../../../../escape-dots',
  'a/../../../escape-middle',
  '/absolute-name',
  'bld/locked.lock',
  '.hidden-name',
  'a//double-slash',
  'control\u0001name',
  'escape\u001b[2Jname',
  'tilde~name',
  'back\\slash-name',
  'at@{name',
  'ends-with-dot.',
];

const listed = (lines: (tip: string) => readonly string[]) =>
  at('branch', (exchange) => exchange.answer({ body: refLines(...lines(exchange.commits.tip)) }));
const tags = (lines: (tip: string) => readonly string[]) =>
  at('tags', (exchange) => exchange.answer({ body: refLines(...lines(exchange.commits.tip)) }));

/** In what the server says its refs are. */
export const REF_LIES: readonly Lie[] = [
  {
    what: 'offers refs of other tenants, bad names and loops beside the branch',
    ...harmless,
    tell: listed((tip) => [
      `${ID} refs/heads/tenant/other`,
      `${tip} HEAD symref-target:HEAD`,
      `${tip} refs/heads/loop symref-target:refs/heads/loop`,
      ...BAD_NAMES.map((name) => `${ID} refs/heads/${name}`),
      ...BAD_NAMES.map((name) => `${ID} ${BRANCH}${name}`),
      `${tip} ${BRANCH} symref-target:${BRANCH}`,
    ]),
  },
  {
    what: 'offers the branch of a tenant with a longer name only',
    exit: 4,
    code: 'branch_missing',
    tell: listed(() => [`${ID} ${BRANCH}-2`]),
  },
  { what: 'hides the branch', exit: 4, code: 'branch_missing', tell: listed(() => []) },
  {
    what: 'lists the branch twice',
    ...malformed,
    tell: listed((tip) => [`${tip} ${BRANCH}`, `${ID} ${BRANCH}`]),
  },
  {
    what: 'lists the branch at the id of nothing',
    ...malformed,
    tell: listed(() => [`${'0'.repeat(40)} ${BRANCH}`]),
  },
  {
    what: 'lists the branch at an id of SHA-256',
    ...malformed,
    tell: listed(() => [`${'a'.repeat(64)} ${BRANCH}`]),
  },
  {
    what: 'lists the branch at another name',
    ...malformed,
    tell: listed(() => [`refs/heads/main ${BRANCH}`]),
  },
  {
    what: 'lists the branch at a path',
    ...malformed,
    tell: listed(() => [`../../../../etc/passwd ${BRANCH}`]),
  },
  {
    what: 'lists the branch with something that it peels to which is no id',
    ...malformed,
    tell: listed((tip) => [`${tip} ${BRANCH} peeled:../../x`]),
  },
  {
    what: 'has the branch no more when it is fetched',
    exit: 5,
    code: 'server_error',
    tell: at(['branch', 'pack'], async (exchange) => {
      const body = refLines(`${ID} ${BRANCH}`);
      exchange.answer(exchange.step === 'branch' ? { body } : await exchange.honest());
    }),
  },
  {
    what: 'lists tags with bad names',
    ...harmless,
    tell: tags((tip) => BAD_NAMES.map((name) => `${tip} refs/tags/${name}`)),
  },
  {
    what: 'lists a tag twice',
    ...malformed,
    tell: tags((tip) => [`${tip} refs/tags/v1.0.1`, `${ID} refs/tags/v1.0.1`]),
  },
  {
    what: 'lists tags that peel to other commits, to themselves and to nothing',
    ...harmless,
    tell: tags((tip) => [
      `${tip} refs/tags/v1.0.90 peeled:${tip}`,
      `${ID} refs/tags/v1.0.91 peeled:${tip}`,
      `${tip} refs/tags/v1.0.92 peeled:${ID}`,
      `${ID} refs/tags/v1.0.93`,
    ]),
  },
  {
    what: 'lists a tag that peels to no id',
    ...malformed,
    tell: tags((tip) => [`${tip} refs/tags/v1.0.90 peeled:${'0'.repeat(64)}`]),
  },
  {
    what: 'lists refs that are no tags where tags were asked for',
    ...harmless,
    tell: tags((tip) => [`${tip} refs/heads/tenant/other`, `${tip} HEAD`]),
  },
  {
    what: 'has 30,000 tags on the commit',
    ...harmless,
    tell: tags((tip) =>
      Array.from({ length: 30_000 }, (_, n) => `${tip} refs/tags/v1.0.${n}-"${'"'.repeat(20)}`),
    ),
  },
  {
    what: 'has more tags than a listing may take',
    ...harmless,
    tell: tags((tip) => Array.from({ length: 70_000 }, (_, n) => `${tip} refs/tags/bld/${n}`)),
  },
  {
    what: 'fails when tags are asked for',
    exit: 5,
    code: 'server_error',
    tell: at('tags', (exchange) => exchange.answer({ status: 500 })),
  },
];
