import type { Clock } from '../reconciler/ports.ts';
import type { DeviceKey } from '../trust/device-key.ts';
import { loadDeviceKey } from '../trust/device-keys.ts';
import { type SpeakingProcess, signRequestToken } from '../trust/request-token.ts';

/** Verifiers allow a minute; what is less than this is no wrong clock. */
const TOLERATED_MS = 10_000;

/** How this agent says who it is to the SaaS. */
export interface DeviceIdentity {
  /** `Bearer <JWT>` for one call; null when the agent is not enrolled (no key, or no agent_id). */
  authorize(method: string, url: URL | string): Promise<string | null>;
  /** The same with a key that is given, which lets the key `next` (a thumbprint) follow it. */
  authorizeAs(jwk: DeviceKey, method: string, url: URL | string, next?: string): Promise<string | null>;
  /** By the console's clock, where that is known to differ. */
  now(): Date;
  /** Another key was put in place. */
  reload(): void;
}

export interface DeviceIdentityOptions {
  /** Which process speaks. Of the holder of the state alone: the console takes two that take turns for two machines. */
  readonly speaker?: () => Promise<SpeakingProcess>;
  /** Waited for once, before the first call: a change of key that was cut short is settled first. */
  readonly settle?: () => Promise<unknown>;
}

/** The device key is read once, at the first call that needs it, and again when it was changed. */
export function createDeviceIdentity(
  credentialsDirectory: string,
  agentId: () => string | null,
  clock: Clock,
  clockOffsetMs: () => number,
  options: DeviceIdentityOptions = {},
): DeviceIdentity {
  let key: ReturnType<typeof loadDeviceKey> | null = null;
  let settled: Promise<unknown> | null = options.settle === undefined ? Promise.resolve() : null;
  let speaker: Promise<SpeakingProcess> | null = null;

  const now = () => {
    // a clock that is wrong does not lock the agent out: the token carries the server's time; small differences are latency
    const offset = clockOffsetMs();
    return new Date(clock.now().getTime() + (Math.abs(offset) < TOLERATED_MS ? 0 : offset));
  };
  const authorizeAs = async (jwk: DeviceKey, method: string, url: URL | string, next?: string) => {
    const issuer = agentId();
    if (issuer === null) return null;
    speaker ??= options.speaker?.() ?? null;
    const said = (await speaker) ?? undefined;
    const token = await signRequestToken({
      jwk,
      issuer,
      method,
      url: String(url),
      now: now(),
      ...(said === undefined ? {} : { speaker: said }),
      ...(next === undefined ? {} : { next }),
    });
    return `Bearer ${token}`;
  };

  return {
    now,
    authorizeAs,
    reload() {
      key = null;
    },
    async authorize(method, url) {
      if (agentId() === null) return null;
      // what cannot be settled now must not keep anything back: the key in force before is still taken then
      settled ??= options.settle?.().catch(() => undefined) ?? Promise.resolve();
      await settled;
      key ??= loadDeviceKey(credentialsDirectory);
      const jwk = await key.catch((error: unknown) => {
        key = null;
        throw error;
      });
      if (jwk !== null) return authorizeAs(jwk, method, url);
      key = null;
      return null;
    },
  };
}
