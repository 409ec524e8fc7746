/** A request that came with an `Idempotency-Key`: what it was, and what it was answered. */
export interface RepeatableRequest {
  readonly actor_id: string;
  readonly key: string;
  /** Of what was asked for: another request under the key is a mistake. */
  readonly request_sha256: string;
  readonly begun_at: string;
  /** Null: it was begun, and has not been answered with success. */
  readonly answer: string | null;
}

export interface RepeatableRequestStore {
  /** The one that is there under the actor's key, or this one, which is there from now on. */
  begin(request: Omit<RepeatableRequest, 'answer'>): Promise<RepeatableRequest>;
  /** The first answer counts. */
  answered(actorId: string, key: string, answer: string): Promise<void>;
  /** Forgets those begun before; how many. */
  prune(before: Date): Promise<number>;
}
