import type { UploadKind } from '../../../schemas/upload.ts';
import type { UploadMetadata } from '../../../schemas/upload-metadata.ts';

/** A file an agent sends or has sent, as the operator sees it. */
export interface Upload {
  readonly upload_id: string;
  readonly agent_id: string;
  readonly tenant: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly kind: UploadKind;
  readonly run_id: string | null;
  readonly flow: string | null;
  readonly purpose: string | null;
  readonly created_at: string;
  /** Null until every byte is here and hashes to `sha256`. */
  readonly completed_at: string | null;
}

export interface UploadLimits {
  readonly uploadBytes: number;
  readonly uploadAgentBytes: number;
  readonly uploadAgentFiles: number;
  readonly uploadsOpen: number;
  readonly uploadOpenDays: number;
}

export type UploadMade =
  | { readonly kind: 'there'; readonly upload: Upload }
  | { readonly kind: 'made'; readonly upload: Upload; readonly dropped: readonly string[] }
  | { readonly kind: 'too_many_open' }
  | { readonly kind: 'no_room'; readonly files: number; readonly bytes: number };

/** What the database knows of the files of agents. */
export interface UploadRows {
  get(uploadId: string): Promise<Upload | null>;
  find(
    agentId: string,
    about: { sha256: string; name: string; run_id: string | null },
  ): Promise<Upload | null>;
  /**
   * The one that is there, else a new one. For it the oldest whole outputs of the agent go, as far as need be (`dropped`); when that
   * is not enough, nothing is done and it is told how much is kept. Documents go by hand only.
   */
  insert(
    agent: { readonly agent_id: string; readonly tenant: string },
    metadata: UploadMetadata,
    size: number,
    limits: UploadLimits,
    at: Date,
  ): Promise<UploadMade>;
  /** Newest first. */
  list(agentId: string, limit: number): Promise<Upload[]>;
  /** What belongs to this run. */
  ofRun(agentId: string, runId: string): Promise<Upload[]>;
  ids(): Promise<Set<string>>;
  complete(uploadId: string, at: Date): Promise<void>;
  remove(uploadId: string): Promise<boolean>;
  /** Those that were not finished and were made before; how many. */
  giveUp(before: Date): Promise<number>;
  areOutputsWanted(slug: string): Promise<boolean>;
  setOutputsWanted(slug: string, wanted: boolean): Promise<void>;
}
