import { randomUUID } from 'node:crypto';
import type { Upload, UploadRows } from '../ports/uploads.ts';
import type { ConsoleDatabase } from './database.ts';

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
      if (there !== null) return { kind: 'there', upload: there };
      const kept = prepare(
        'SELECT count(*) FILTER (WHERE completed_at IS NULL) AS open, count(*) AS files, coalesce(sum(size), 0) AS bytes FROM uploads WHERE agent_id = ?',
      ).get(agent.agent_id) as { open: number; files: number; bytes: number };
      if (kept.open >= limits.uploadsOpen) return { kind: 'too_many_open' };
      const dropped = makeRoom(
        agent.agent_id,
        kept.bytes + size - limits.uploadAgentBytes,
        kept.files + 1 - limits.uploadAgentFiles,
      );
      if (dropped === null) return { kind: 'no_room', files: kept.files, bytes: kept.bytes };
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
      return { kind: 'made', upload, dropped };
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
