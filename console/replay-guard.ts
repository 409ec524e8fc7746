import type { ConsoleDatabase } from './database.ts';

export interface ReplayGuard {
  /** True the first time; the id is remembered until `expiresAt` (seconds since 1970), restarts included. */
  takeOnce(caller: string, jti: string, expiresAt: number): boolean;
  /** Forgets ids whose token could not be used any more. */
  prune(now: Date): number;
}

/** `jti` of request tokens, accepted once (contract, section 7). On disk: a restart must not open the door to replays. */
export function createReplayGuard({ sql }: ConsoleDatabase): ReplayGuard {
  return {
    takeOnce(caller, jti, expiresAt) {
      const done = sql
        .prepare('INSERT INTO request_ids (caller, jti, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
        .run(caller, jti, expiresAt);
      return done.changes === 1;
    },
    prune(now) {
      // An hour later than need be: the verifier allows for clocks that differ.
      const before = Math.floor(now.getTime() / 1_000) - 3_600;
      return Number(sql.prepare('DELETE FROM request_ids WHERE expires_at < ?').run(before).changes);
    },
  };
}
