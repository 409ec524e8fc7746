import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { RequestRefused } from '../refusal.ts';

/** OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const TAG_BYTES = 32;
const SALT_BYTES = 16;
/** Of a stored form; what is not of ours is nobody's password. */
const STORED =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,100})\$([A-Za-z0-9+/]{16,100})$/;

export interface Passwords {
  /** Its stored form: `$argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>`. */
  hash(password: string): Promise<string>;
  /** `null`: nobody's. Takes as long as for somebody's, and is false. */
  verify(password: string, stored: string | null): Promise<boolean>;
}

/**
 * At most `atOnce` are reckoned at one time, as each takes 19 MiB and a core for a while; 503 beyond `waiting` that wait: who asks
 * for many may not take the console from everybody else.
 */
export function createPasswords(bounds: { readonly atOnce: number; readonly waiting: number }): Passwords {
  let running = 0;
  const queue: (() => void)[] = [];
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < bounds.atOnce) running += 1;
    else {
      if (queue.length >= bounds.waiting) {
        const message = 'expected fewer people to sign in at one time; try again in a few seconds';
        throw new RequestRefused(503, 'busy', message, { 'retry-after': '5' });
      }
      // Whoever ends hands its place on.
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
  const nobody = storedForm(randomBytes(SALT_BYTES), randomBytes(TAG_BYTES));

  return {
    hash: async (password) =>
      inTurn(async () => {
        const salt = randomBytes(SALT_BYTES);
        return storedForm(salt, await reckon(password, salt, COST, TAG_BYTES));
      }),
    verify: async (password, stored) =>
      inTurn(async () => {
        const parts = STORED.exec(stored ?? nobody);
        if (parts === null) throw new Error('expected the stored form of a password, found another text');
        const [, memory, passes, parallelism, salt = '', tag = ''] = parts;
        const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
        const wanted = Buffer.from(tag, 'base64');
        const found = await reckon(password, Buffer.from(salt, 'base64'), cost, wanted.length);
        return timingSafeEqual(found, wanted) && stored !== null;
      }),
  };
}

/** Unicode has several ways to write one character, and keyboards differ in which they send (NIST SP 800-63B, 3.1.1.2). */
async function reckon(
  password: string,
  nonce: Buffer,
  cost: { memory: number; passes: number; parallelism: number },
  tagLength: number,
): Promise<Buffer> {
  const message = Buffer.from(password.normalize('NFKC'), 'utf8');
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce, tagLength, ...cost }, (error, tag) => {
      if (error === null) resolve(tag);
      else reject(error);
    });
  });
}

function storedForm(salt: Buffer, tag: Buffer): string {
  const plain = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${plain(salt)}$${plain(tag)}`;
}

/** 422: what anybody who knows the login would try first. Length is the schema's. */
export function expectOwnPassword(password: string, login: string, name: string): void {
  const plain = (text: string) =>
    text
      .normalize('NFKC')
      .toLowerCase()
      .replaceAll(/[\s._@-]/g, '');
  const given = plain(password);
  const guessable =
    [login, name, login.split('@')[0] ?? login].some((each) => given === plain(each)) ||
    new Set(given).size < 4;
  if (!guessable) return;
  const message =
    'expected a password that is not the login, the name, or a few characters again and again; choose some words that do not belong together';
  throw new RequestRefused(422, 'password_weak', message);
}
