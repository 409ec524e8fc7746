import type { VerifiedRelease } from '../../reconciler/ports.ts';
import { EXPIRY_NOTICE_MS } from '../trusted-time.ts';
import type { Metadata, TopLevelRole } from './metadata.ts';
import type { TufRootMetadata } from './root-walk.ts';

/** Timestamp and snapshot live for days and are signed anew by a machine: a week before their end nothing is wrong. */
const ONLINE_NOTICE_MS = 12 * 60 * 60 * 1_000;

/** When the first of them ends: nothing new is applied from then on. */
export function firstExpiry(roles: readonly Metadata<TopLevelRole>[]): string {
  const times = roles.map(({ signed }) => signed.expires);
  return times.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0] as string;
}

/** How long before its end a role is warned of. */
export function noticeMs(type: string): number {
  return type === 'timestamp' || type === 'snapshot' ? ONLINE_NOTICE_MS : EXPIRY_NOTICE_MS;
}

export function expiryWarnings(
  root: TufRootMetadata,
  roles: readonly Metadata<TopLevelRole>[],
  time: Date,
): VerifiedRelease['warnings'] {
  return [...new Set([root, ...roles])].flatMap(({ type, signed }) => {
    const left = Date.parse(signed.expires) - time.getTime();
    if (left > noticeMs(type)) return [];
    const message = `${type} ${signed.version} (TUF) expires at ${signed.expires}; nothing new will be applied after that until a later one is signed`;
    return [{ reason: 'ReleaseExpiring' as const, message }];
  });
}
