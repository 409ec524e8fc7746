import type { Refused, TufMemory } from '../../reconciler/ports.ts';
import { walkKnownRoots } from './known-roots.ts';
import { readMetadata } from './metadata.ts';
import type { TufRootMetadata } from './root-walk.ts';

export type RootInForce = { readonly kind: 'root' } & Pick<
  TufRootMetadata['signed'],
  'version' | 'expires' | 'roles'
>;

/** The root in force by what this machine has: the pinned one and those it remembers. Nothing is asked for. */
export async function tufRootOf(
  pinned: string,
  memory: TufMemory | undefined,
): Promise<RootInForce | Refused> {
  const walk = await walkKnownRoots(pinned, memory?.roots ?? [], { read: async () => 'missing' });
  if (walk.kind === 'refused') return walk;
  const { version, expires, roles } = walk.root.signed;
  return { kind: 'root', version, expires, roles };
}

/** Whose end it is that a release ends with: of timestamp or snapshot as remembered, or else of a targets role. */
export function roleThatEnds(
  expires: string,
  memory: TufMemory | undefined,
): 'timestamp' | 'snapshot' | 'targets' {
  for (const { role, document } of memory?.marks ?? []) {
    if (role !== 'timestamp' && role !== 'snapshot') continue;
    const found = readMetadata(role, Buffer.from(document), role);
    if (found.kind === 'metadata' && Date.parse(found.signed.expires) === Date.parse(expires)) return role;
  }
  return 'targets';
}
