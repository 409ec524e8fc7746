import type { TunnelClient } from '../../schemas/tunnel-client.ts';

/** What a client's configuration is made of. Everything in it may be secret. */
export interface ClientInputs<Tunnel extends TunnelClient = TunnelClient> {
  readonly tunnel: Tunnel;
  readonly token: string;
  /** Of `POST /commands`, on 127.0.0.1. */
  readonly localPort: number;
  /** Absolute. */
  readonly caFile: string | null;
  readonly proxy: string | null;
}

/** What a line of a client's log says about its connection; most say nothing. */
export type ClientNews = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly cause: string };

/** A tunnel's client: how it is configured, started and understood. */
export interface TunnelProgram {
  /** Of the program on PATH. */
  readonly name: string;
  readonly install: string;
  /** How many certificates of `ca_file` it believes. */
  readonly certificates: 'first' | 'all';
  configuration(inputs: ClientInputs): string;
  arguments(configPath: string): readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Made anew for each process: what a line means may depend on those before it. */
  reader(): (line: string) => ClientNews | null;
}
