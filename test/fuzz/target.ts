/** How an input is built, so that it is changed where its parts are and not only byte by byte. */
export type Shape = 'bytes' | 'text' | 'json' | 'yaml';

/** Valid inputs to begin from. */
export interface Seeds {
  readonly shape: Shape;
  readonly seeds: readonly (string | Uint8Array)[];
  /** Words of the format, put in anywhere. */
  readonly words?: readonly string[];
}

/** A parser of bytes that come from outside. */
export interface FuzzTarget extends Seeds {
  readonly name: string;
  /** Begins inside an envelope that random changes would only break: what is changed is closed again (signed, counted, compressed). */
  readonly inside?: Seeds & { readonly close: (bytes: Buffer) => Uint8Array };
  /** Bytes as Latin-1, repeated to 8 KiB and to 32 KiB: the second may take at most ten times as long. */
  readonly repeats: readonly string[];
  /** Of one input; default 32 KiB. */
  readonly maxBytes?: number;
  /** Parses. Throws when the parser breaks its promises, `check` in invariants.ts says which. */
  read(bytes: Buffer): void | Promise<void>;
}
