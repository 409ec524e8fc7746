import type { Tunnel } from '../reconciler/ports.ts';

export interface ConfiguredTunnel {
  /** Keeps the tunnel that agent.yaml names until the signal aborts; never rejects for what the other side does. */
  run(signal: AbortSignal): Promise<void>;
  /** agent.yaml changed: a tunnel that depends on what changed is ended and built anew. */
  renew(): void;
  state(): ReturnType<Tunnel['state']>;
}

const NONE = { state: 'none', since: null, message: null } as const;

/**
 * The one tunnel of this agent. `key` stands for everything of agent.yaml the tunnel is built from: while it stays the same,
 * an open connection stays. `build` gives null for `tunnel.kind: none`.
 */
export function createConfiguredTunnel(key: () => string, build: () => Tunnel | null): ConfiguredTunnel {
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
    // a tunnel that fails is a bug of ours and is heard; one that ends by itself is not replaced
    const failed = running.then(() => ended.promise);
    await Promise.race([ended.promise, changed.promise, failed]);
    ended.resolve();
    superseded.abort(new Error('agent.yaml names another tunnel'));
    await running;
    current = null;
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        await keepOne(signal);
        changed = Promise.withResolvers();
      }
    },
    renew() {
      if (builtFrom !== null && builtFrom !== key()) changed.resolve();
    },
    state: () => current?.state() ?? NONE,
  };
}
