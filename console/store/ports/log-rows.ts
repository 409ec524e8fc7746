/** Which stream of which attempt of which run of which agent. */
export interface LogStream {
  readonly agent_id: string;
  readonly run_id: string;
  readonly attempt: number;
  readonly stream: 'stdout' | 'stderr';
}

export interface LogRow {
  readonly run_id: string;
  readonly attempt: number;
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: number;
  readonly updated_at: string;
}

export type OwnedLogRow = LogRow & { readonly agent_id: string };

/** What is known of the files of live output, by which they are found and kept within bounds. */
export interface LogRows {
  /** Makes the row, of no bytes, unless it is there. */
  begin(stream: LogStream, at: Date): Promise<void>;
  /** Writes down what size files have now; of those without a row nothing. By how many bytes all of them have grown. */
  note(
    sizes: readonly { readonly stream: LogStream; readonly bytes: number; readonly at: Date }[],
  ): Promise<number>;
  /** Of runs of which no report has come yet, latest first. */
  unfinished(agentId: string, limit: number): Promise<LogRow[]>;
  list(agentId: string, runId: string): Promise<LogRow[]>;
  /** Of all rows. Reads them all. */
  totalBytes(): Promise<number>;
  /** Of one agent, the oldest streams after the newest that fit. */
  beyond(agentId: string, bytes: number, count: number): Promise<OwnedLogRow[]>;
  /** As many of the oldest streams of all as have so many bytes together. */
  oldest(bytes: number): Promise<OwnedLogRow[]>;
  forget(streams: readonly LogStream[]): Promise<void>;
}
