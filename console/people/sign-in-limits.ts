import { createHmac, randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { ConsoleLimits } from '../limits.ts';
import { createRateLimit } from '../rate-limit.ts';
import { RequestRefused } from '../refusal.ts';

/** More logins than a console has people. Which slot a login falls into is this process's secret. */
const SLOTS = 4_096;

export interface SignInLimits {
  /**
   * Before a password is looked at. `browser`: one in which this very person has signed in before. Throws 429. Whether anybody
   * has the login changes nothing.
   */
  take(attempt: { readonly login: string; readonly ip: string; readonly browser: string | null }): void;
}

/**
 * Guessing is slow by address and by login. A known browser has counts of its own: strangers who use up those of a login, or of an
 * address that is shared, do not keep its people out.
 */
export function createSignInLimits(limits: ConsoleLimits, nowMs: () => number): SignInLimits {
  const of = (burst: number, perMinute: number) =>
    createRateLimit({ burst, perSecond: perMinute / 60, nowMs });
  const addresses = of(limits.signInAddressBurst, limits.signInAddressPerMinute);
  // By slot: who tries ten thousand logins makes the console forget none of its counts.
  const logins = of(limits.signInLoginBurst, limits.signInLoginPerMinute);
  const browsers = of(limits.signInLoginBurst, limits.signInLoginPerMinute);
  const key = randomBytes(32);
  const slotOf = (login: string) =>
    String(createHmac('sha256', key).update(login).digest().readUInt32BE() % SLOTS);
  return {
    take({ login, ip, browser }) {
      try {
        if (browser !== null) browsers.take(browser);
        else {
          addresses.take(networkOf(ip));
          logins.take(slotOf(login));
        }
      } catch (error) {
        if (!(error instanceof RequestRefused)) throw error;
        const message = `expected fewer attempts to sign in; try again in ${error.headers['retry-after']} s`;
        throw new RequestRefused(error.status, error.code, message, error.headers);
      }
    },
  };
}

/** An IPv6 address stands for its /64: whoever has one of it has all. */
function networkOf(ip: string): string {
  if (!isIPv6(ip)) return ip;
  const mapped = /^::ffff:([\d.]+)$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return groups.slice(0, 4).join(':');
}
