import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** `egr` reads git, `egp` publishes, `eka` calls the API, `ecs` is a session, `eci` an invitation, `ecf` the setup. The prefix lets a leaked one be recognised. */
type TokenKind = 'egr' | 'egp' | 'eka' | 'ecs' | 'eci' | 'ecf';

/** 256 random bits; only `hashOf` it is kept. */
export function newToken(kind: TokenKind): string {
  return `${kind}_${randomBytes(32).toString('base64url')}`;
}

/**
 * What is stored of a token. Tokens are 256 random bits, so one SHA-256 is enough (no password hash needed), and looking a
 * token up by its hash tells nothing by its timing.
 */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export interface ConsoleSecrets {
  /** HS256 key of enrolment tokens. */
  readonly enrolmentKey: Uint8Array;
  /** AES-256 key that trigger keys are sealed with. */
  readonly sealingKey: Uint8Array;
  /** The same bytes for the same words: ids of what a repeated request must not do twice. 32 bytes. */
  derived(purpose: string, words: readonly string[]): Uint8Array;
  /**
   * The git token of an enrolment. Derived, not random: a lost answer is repeated word for word although only the hash of
   * the token is stored.
   */
  gitToken(agentId: string, jti: string): string;
  /** Marks browsers in which somebody has signed in. */
  readonly knownBrowserKey: Uint8Array;
  /** What a forge signs its webhook with. */
  hookSecret(slug: string, generation: number): string;
}

/** Reads the console's master key (32 bytes, 0600), made at the first start. Two processes starting at once agree on one. */
export function loadSecrets(path: string): ConsoleSecrets {
  const master = readOrMake(path);
  const subkey = (purpose: string) =>
    new Uint8Array(hkdfSync('sha256', master, '', `edgeflows-console/${purpose}`, 32));
  const gitKey = subkey('git-token');
  const hookKey = subkey('webhook');
  const idKey = subkey('repeatable-ids');
  return {
    enrolmentKey: subkey('enrolment-token'),
    knownBrowserKey: subkey('known-browser'),
    sealingKey: subkey('trigger-keys'),
    derived: (purpose, words) =>
      createHmac('sha256', idKey)
        .update(JSON.stringify([purpose, ...words]))
        .digest(),
    gitToken(agentId, jti) {
      const tag = createHmac('sha256', gitKey).update(`${agentId}\0${jti}`).digest('base64url');
      return `egr_${tag}`;
    },
    hookSecret(slug, generation) {
      const tag = createHmac('sha256', hookKey).update(`${slug}\0${generation}`).digest('base64url');
      return `egh_${tag}`;
    },
  };
}

function readOrMake(path: string): Buffer {
  if (!existsSync(path)) make(path);
  chmodSync(path, 0o600);
  const master = readFileSync(path);
  if (master.length !== 32) {
    throw new Error(
      `expected 32 bytes in ${path}, found ${master.length}: restore the file from a backup, ` +
        'or delete it (enrolment tokens that are out become void)',
    );
  }
  return master;
}

function make(path: string): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, randomBytes(32), { mode: 0o600, flag: 'wx', flush: true });
  try {
    // A link never replaces: whoever comes second takes the key that is there.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
