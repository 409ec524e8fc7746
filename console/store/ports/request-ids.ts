/** Ids of calls (`jti`), so that one is accepted once. */
export interface RequestIds {
  isKnown(caller: string, jti: string): Promise<boolean>;
  /** Rejected when somebody was quicker. `expiresAt`: seconds since 1970; it is remembered until then. */
  keep(caller: string, jti: string, expiresAt: number): Promise<void>;
  /** Forgets those that expired before (seconds since 1970); how many. */
  prune(before: number, signal?: AbortSignal): Promise<number>;
}
