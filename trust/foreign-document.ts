const KINDS = {
  'edge-agent': {
    member: 'payload',
    text: 'a signed document of Edge-Agent, which goes with trust.mode: required',
  },
  tuf: { member: 'signed', text: 'metadata of a TUF repository, which goes with trust.mode: tuf' },
  key: { member: 'kty', text: 'a key (JWK)' },
} as const;

/**
 * What a JSON value is instead of `expected`: our roots and releases, TUF's metadata and keys lie side by side in the folders of
 * publishers. Null when it is none of the others.
 */
export function foreignDocument(value: unknown, expected: 'edge-agent' | 'tuf'): string | null {
  if (typeof value !== 'object' || value === null || KINDS[expected].member in value) return null;
  return Object.values(KINDS).find(({ member }) => member in value)?.text ?? null;
}
