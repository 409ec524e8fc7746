const DAY_MS = 24 * 60 * 60 * 1000;
/** How far ahead of us the clock of a signer may be (contract, section 5). */
export const ISSUED_AHEAD_MS = DAY_MS;
/** Expiry is announced this long before. */
export const EXPIRY_NOTICE_MS = 7 * DAY_MS;

/** The latest of the system clock and the latest `issued` accepted: a clock set back does not make an expired release fresh. */
export function trustedTime(now: Date, latestIssued: string | null): Date {
  const learned = latestIssued === null ? Number.NEGATIVE_INFINITY : Date.parse(latestIssued);
  return learned > now.getTime() ? new Date(learned) : now;
}

/**
 * What an accepted statement teaches about the time: its `issued`, but never more than 24 h beyond the system clock, or a thief
 * of the release key could push time on by a day with every release and leave every honest one expired after the rotation.
 */
export function learnTime(now: Date, latestIssued: string | null, issued: string): string {
  const taught = Math.min(Date.parse(issued), now.getTime() + ISSUED_AHEAD_MS);
  if (latestIssued !== null && Date.parse(latestIssued) >= taught) return latestIssued;
  return new Date(taught).toISOString();
}

/** True for a time that has come. Not `<=` on both sides: what does not parse has always come. */
export function hasExpired(expires: string, time: Date): boolean {
  return !(Date.parse(expires) > time.getTime());
}
