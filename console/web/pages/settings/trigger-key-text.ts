import type { TriggerKeyGift } from '../../../../schemas/console/trigger-key.ts';

type ReadKey =
  | { readonly kind: 'key'; readonly key: TriggerKeyGift['key'] }
  | { readonly kind: 'missing' | 'not_json' | 'public' | 'wrong' };

/**
 * A private key as "edge-agent keys new" writes it, from a file or pasted. The console judges it again; this says in the reader's
 * words what is wrong, before a key of something else leaves the browser.
 */
export function triggerKeyIn(text: string): ReadKey {
  if (text.trim() === '') return { kind: 'missing' };
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return { kind: 'not_json' };
  }
  if (typeof found !== 'object' || found === null) return { kind: 'wrong' };
  const { kty, crv, x, d } = found as Record<string, unknown>;
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') return { kind: 'wrong' };
  if (d === undefined) return { kind: 'public' };
  if (typeof d !== 'string') return { kind: 'wrong' };
  return { kind: 'key', key: { kty, crv, x, d } };
}
