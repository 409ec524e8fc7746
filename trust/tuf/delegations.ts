import { createHash } from 'node:crypto';
import type { TufDelegations, TufTargets } from '../../schemas/tuf.ts';
import type { Signers } from './metadata.ts';

/** A role that may say something of a path, in the order in which the delegating role names them. */
export interface DelegatedTo {
  readonly name: string;
  readonly terminating: boolean;
}

export function rolesFor(delegations: TufDelegations, path: string): DelegatedTo[] {
  const { roles, succinct_roles: bins } = delegations;
  if (bins !== undefined) return [{ name: binFor(bins, path), terminating: true }];
  const hash = sha256(path).toString('hex');
  return (roles ?? [])
    .filter(
      ({ paths, path_hash_prefixes: prefixes }) =>
        paths?.some((pattern) => matchesPath(pattern, path)) === true ||
        prefixes?.some((prefix) => hash.startsWith(prefix)) === true,
    )
    .map(({ name, terminating }) => ({ name, terminating }));
}

/** Who signs for a role by the word of the one that delegates to it, or null when it delegates nothing to that name. */
export function signersOf(targets: TufTargets, name: string): Signers | null {
  const { delegations } = targets;
  if (delegations === undefined) return null;
  const { roles, succinct_roles: bins, keys } = delegations;
  if (bins !== undefined) return isBin(bins, name) ? { role: bins, keys } : null;
  const role = roles?.find((candidate) => candidate.name === name);
  return role === undefined ? null : { role, keys };
}

type Bins = NonNullable<TufDelegations['succinct_roles']>;

/** The bin of a path: the first `bit_length` bits of its SHA-256 (TAP 15). */
function binFor(bins: Bins, path: string): string {
  return binName(bins, sha256(path).readUInt32BE(0) >>> (32 - bins.bit_length));
}

function binName({ bit_length: bits, name_prefix: prefix }: Bins, bin: number): string {
  const digits = (2 ** bits - 1).toString(16).length;
  return `${prefix}-${bin.toString(16).padStart(digits, '0')}`;
}

function isBin(bins: Bins, name: string): boolean {
  const digits = name.slice(bins.name_prefix.length + 1);
  const bin = /^[0-9a-f]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  return bin < 2 ** bins.bit_length && binName(bins, bin) === name;
}

/**
 * A path pattern of TUF: `*` is any run of characters, `?` one, neither reaches over a `/`, everything else is itself. Takes at
 * most length of pattern × length of path steps: a delegated role may write any pattern it likes, and must not cost us the day.
 */
export function matchesPath(pattern: string, path: string): boolean {
  const patterns = pattern.split('/');
  const parts = path.split('/');
  return (
    patterns.length === parts.length && patterns.every((part, index) => matches(part, parts[index] ?? ''))
  );
}

function matches(pattern: string, text: string): boolean {
  let [at, in_] = [0, 0];
  // where the last star was, and how much of the text it has taken
  let [star, taken] = [-1, 0];
  while (at < text.length) {
    const sign = pattern[in_];
    if (sign === '*') {
      star = in_;
      taken = at;
      in_ += 1;
    } else if (sign !== undefined && (sign === '?' || sign === text[at])) {
      at += 1;
      in_ += 1;
    } else if (star >= 0) {
      taken += 1;
      at = taken;
      in_ = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[in_] === '*') in_ += 1;
  return in_ === pattern.length;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
