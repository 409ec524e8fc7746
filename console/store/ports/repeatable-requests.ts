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

/** How many of one actor are kept at most: those that were answered, and in all. */
export interface RepeatableBounds {
  readonly answers: number;
  readonly requests: number;
}

export type Begun =
  | { readonly kind: 'there'; readonly request: RepeatableRequest }
  /** It is new, and the actor has so many already: nothing was done. `oldest` is when their first one was begun. */
  | { readonly kind: 'too_many'; readonly oldest: string };

export interface RepeatableRequestStore {
  /** The one that is there under the actor's key, or this one, which is there from now on if there is room for one more. */
  begin(request: Omit<RepeatableRequest, 'answer'>, bounds: RepeatableBounds): Promise<Begun>;
  /** The first answer counts. */
  answered(actorId: string, key: string, answer: string): Promise<void>;
  /** Forgets those begun before; how many. */
  prune(before: Date, signal?: AbortSignal): Promise<number>;
}
