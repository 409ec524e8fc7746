import { randomUUID } from 'node:crypto';
import type { UploadKind } from '../schemas/upload.ts';
import type { UploadMetadata } from '../schemas/upload-metadata.ts';
import { RequestRefused } from './refusal.ts';
import type { ConsoleDatabase } from './store/sqlite/database.ts';

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

/** What the database knows of the files of agents. */
export interface UploadRows {
  get(uploadId: string): Promise<Upload | null>;
  find(
    agentId: string,
    about: { sha256: string; name: string; run_id: string | null },
  ): Promise<Upload | null>;
  /** The one that is there, else a new one, for which those of `dropped` made room. Throws RequestRefused. */
  insert(
    agent: { readonly agent_id: string; readonly tenant: string },
    metadata: UploadMetadata,
    size: number,
    limits: UploadLimits,
    at: Date,
  ): Promise<{ readonly upload: Upload; readonly created: boolean; readonly dropped: readonly string[] }>;
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

const COLUMNS =
  'upload_id, agent_id, slug AS tenant, name, size, sha256, kind, run_id, flow, purpose, created_at, completed_at';

export function createUploadRows({ sql, prepare, write }: ConsoleDatabase): UploadRows {
  const get: UploadRows['get'] = async (uploadId) =>
    (prepare(`SELECT ${COLUMNS} FROM uploads WHERE upload_id = ?`).get(uploadId) as Upload | undefined) ??
    null;

  const findNow = (agentId: string, { sha256, name, run_id }: Parameters<UploadRows['find']>[1]) =>
    (prepare(
      `SELECT ${COLUMNS} FROM uploads WHERE agent_id = ? AND sha256 = ? AND name = ? AND run_id IS ?`,
    ).get(agentId, sha256, name, run_id) as Upload | undefined) ?? null;
  const find: UploadRows['find'] = async (agentId, about) => findNow(agentId, about);

  /**
   * Takes the rows of the agent's oldest whole outputs away, until so many bytes and files are free: like reports, they are
   * kept as far as there is room. Their ids; null, and nothing is done, when that is not enough. Documents go by hand only.
   */
  const makeRoom = (agentId: string, bytes: number, files: number): string[] | null => {
    const ids: string[] = [];
    if (bytes <= 0 && files <= 0) return ids;
    const outputs = sql
      .prepare(
        `SELECT upload_id, size FROM uploads WHERE agent_id = ? AND kind = 'output' AND completed_at IS NOT NULL
         ORDER BY created_at`,
      )
      .iterate(agentId) as Iterable<{ upload_id: string; size: number }>;
    let freed = 0;
    for (const { upload_id, size } of outputs) {
      if (freed >= bytes && ids.length >= files) break;
      freed += size;
      ids.push(upload_id);
    }
    if (freed < bytes || ids.length < files) return null;
    const forget = prepare('DELETE FROM uploads WHERE upload_id = ?');
    for (const id of ids) forget.run(id);
    return ids;
  };

  const insert: UploadRows['insert'] = (agent, metadata, size, limits, at) =>
    write(() => {
      const there = findNow(agent.agent_id, metadata);
      if (there !== null) return { upload: there, created: false, dropped: [] };
      const kept = prepare(
        'SELECT count(*) FILTER (WHERE completed_at IS NULL) AS open, count(*) AS files, coalesce(sum(size), 0) AS bytes FROM uploads WHERE agent_id = ?',
      ).get(agent.agent_id) as { open: number; files: number; bytes: number };
      if (kept.open >= limits.uploadsOpen) {
        const message = `expected fewer than ${limits.uploadsOpen} uploads that are not finished, found as many; finish those first`;
        throw new RequestRefused(429, 'too_many_uploads', message, { 'retry-after': '60' });
      }
      const dropped = makeRoom(
        agent.agent_id,
        kept.bytes + size - limits.uploadAgentBytes,
        kept.files + 1 - limits.uploadAgentFiles,
      );
      if (dropped === null) {
        const most = `${limits.uploadAgentFiles} files of ${limits.uploadAgentBytes} bytes in all`;
        const message = `expected at most ${most} of one agent, found ${kept.files} of ${kept.bytes} and ${size} more; an operator has to remove some`;
        throw new RequestRefused(507, 'quota_used_up', message);
      }
      const upload: Upload = {
        upload_id: randomUUID(),
        agent_id: agent.agent_id,
        tenant: agent.tenant,
        size,
        ...metadata,
        created_at: at.toISOString(),
        completed_at: null,
      };
      prepare(
        `INSERT INTO uploads (upload_id, agent_id, slug, name, size, sha256, kind, run_id, flow, purpose, created_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        upload.upload_id,
        upload.agent_id,
        upload.tenant,
        upload.name,
        size,
        upload.sha256,
        upload.kind,
        upload.run_id,
        upload.flow,
        upload.purpose,
        upload.created_at,
      );
      return { upload, created: true, dropped };
    });

  return {
    get,
    find,
    insert,
    list: async (agentId, limit) =>
      prepare(
        `SELECT ${COLUMNS} FROM uploads WHERE agent_id = ? ORDER BY created_at DESC, upload_id DESC LIMIT ?`,
      ).all(agentId, limit) as unknown as Upload[],
    ofRun: async (agentId, runId) =>
      prepare(
        `SELECT ${COLUMNS} FROM uploads WHERE agent_id = ? AND run_id = ? ORDER BY created_at LIMIT 10000`,
      ).all(agentId, runId) as unknown as Upload[],
    async ids() {
      const rows = prepare('SELECT upload_id FROM uploads').all() as { upload_id: string }[];
      return new Set(rows.map(({ upload_id }) => upload_id));
    },
    complete: (uploadId, at) =>
      write(() => {
        const mark = 'UPDATE uploads SET completed_at = ? WHERE upload_id = ? AND completed_at IS NULL';
        prepare(mark).run(at.toISOString(), uploadId);
      }),
    remove: (uploadId) =>
      write(() => prepare('DELETE FROM uploads WHERE upload_id = ?').run(uploadId).changes > 0),
    giveUp: (before) =>
      write(() => {
        const remove = 'DELETE FROM uploads WHERE completed_at IS NULL AND created_at < ?';
        return Number(prepare(remove).run(before.toISOString()).changes);
      }),
    areOutputsWanted: async (slug) =>
      prepare('SELECT 1 FROM settings WHERE name = ?').get(`outputs_unwanted/${slug}`) === undefined,
    setOutputsWanted: (slug, wanted) =>
      write(() => {
        const name = `outputs_unwanted/${slug}`;
        if (wanted) prepare('DELETE FROM settings WHERE name = ?').run(name);
        else prepare("INSERT INTO settings (name, value) VALUES (?, 'yes') ON CONFLICT DO NOTHING").run(name);
      }),
  };
}
