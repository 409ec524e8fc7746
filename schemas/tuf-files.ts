const KIB = 1_024;

/** Bytes of one metadata file, where what names it gives no length or a greater one. */
export const TUF_MAX_BYTES = {
  root: 512 * KIB,
  timestamp: 16 * KIB,
  snapshot: 2 * KIB * KIB,
  targets: 5 * KIB * KIB,
} as const;

/** Of `trigger-keys.json`. */
export const TRIGGER_KEYS_MAX_BYTES = 64 * KIB;

/** Roots after the trusted one (specification, 5.3.3). */
export const TUF_MAX_ROOTS = 1_024;

/** Targets roles that one snapshot may name. */
export const TUF_MAX_TARGETS_FILES = 1_024;

/** Roles looked into for one target (specification, 5.6.7), as in python-tuf. */
export const TUF_MAX_ROLES = 32;

/** The file name a role's metadata is published under: the role's name percent-encoded as one path segment (RFC 3986). */
export function tufFileName(role: string, version: number | null): string {
  const quoted = encodeURIComponent(role.toWellFormed()).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${version === null ? '' : `${version}.`}${quoted}.json`;
}
