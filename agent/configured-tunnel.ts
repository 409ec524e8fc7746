import type { Clock, Tunnel } from '../reconciler/ports.ts';

export interface ConfiguredTunnel {
  /** Keeps the tunnel that agent.yaml names until the signal aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** agent.yaml changed: a tunnel that depends on what changed is ended and built anew. */
  renew(): void;
  state(): ReturnType<Tunnel['state']>;
}

export interface ConfiguredTunnelDeps {
  /** Stands for everything of agent.yaml the tunnel is built from: while it stays the same, an open connection stays. */
  readonly key: () => string;
  /** Null for `tunnel.kind: none`. */
  readonly build: () => Tunnel | null;
  readonly clock: Clock;
  /** A tunnel that fails is a bug of ours; a new one is built after a minute, or as soon as agent.yaml changes. */
  readonly onFault: (error: unknown) => void;
}

const NONE = { state: 'none', since: null, message: null } as const;
const AGAIN_AFTER_MS = 60_000;

/** The one tunnel of this agent. */
export function createConfiguredTunnel({
  key,
  build,
  clock,
  onFault,
}: ConfiguredTunnelDeps): ConfiguredTunnel {
  let current: Tunnel | null = null;
  let builtFrom: string | null = null;
  let changed = Promise.withResolvers<void>();

  async function keepOne(signal: AbortSignal): Promise<void> {
    const superseded = new AbortController();
    const both = AbortSignal.any([signal, superseded.signal]);
    builtFrom = key();
    current = build();
    const running = current?.run(both) ?? Promise.resolve();
    const ended = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => ended.resolve(), { once: true });
    // one that ends by itself is not replaced
    const failed = running.then(() => ended.promise);
    try {
      await Promise.race([ended.promise, changed.promise, failed]);
    } finally {
      ended.resolve();
      superseded.abort(new Error('agent.yaml names another tunnel'));
    }
    // it says `disconnected` until the next is built: `none` is for an agent.yaml that names none
    await running;
  }

  async function pause(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    void changed.promise.then(() => woken.abort());
    await clock.sleep(AGAIN_AFTER_MS, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          await keepOne(signal);
        } catch (error) {
          if (signal.aborted) return;
          onFault(error);
          await pause(signal);
        }
        changed = Promise.withResolvers();
      }
    },
    renew() {
      if (builtFrom !== null && builtFrom !== key()) changed.resolve();
    },
    state: () => current?.state() ?? NONE,
  };
}
