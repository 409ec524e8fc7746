import type { Clock } from '../reconciler/ports.ts';
import { loadDeviceKey } from '../trust/device-keys.ts';
import { signRequestToken } from '../trust/request-token.ts';

/** Verifiers allow a minute; what is less than this is no wrong clock. */
const TOLERATED_MS = 10_000;

/** How this agent says who it is to the SaaS. */
export interface DeviceIdentity {
  /** `Bearer <JWT>` for one call; null when the agent is not enrolled (no key, or no agent_id). */
  authorize(method: string, url: URL | string): Promise<string | null>;
}

/** The device key is read once, at the first call that needs it. */
export function createDeviceIdentity(
  credentialsDirectory: string,
  agentId: () => string | null,
  clock: Clock,
  clockOffsetMs: () => number,
): DeviceIdentity {
  let key: ReturnType<typeof loadDeviceKey> | null = null;
  return {
    async authorize(method, url) {
      const issuer = agentId();
      if (issuer === null) return null;
      key ??= loadDeviceKey(credentialsDirectory);
      const jwk = await key.catch((error: unknown) => {
        key = null;
        throw error;
      });
      if (jwk === null) {
        key = null;
        return null;
      }
      // a clock that is wrong does not lock the agent out: the token carries the server's time; small differences are latency
      const offset = clockOffsetMs();
      const now = new Date(clock.now().getTime() + (Math.abs(offset) < TOLERATED_MS ? 0 : offset));
      return `Bearer ${await signRequestToken({ jwk, issuer, method, url: String(url), now })}`;
    },
  };
}
