import type { KnownRelease, ReleasedFlow, ReleaseNote, ReleaseStore } from '../../ports/releases.ts';
import type { ConsoleDatabase } from '../database.ts';
import { inScope, scopeParameter, wordsOf } from './standing-columns.ts';

interface Row {
  id: number;
  slug: string;
  revision: string;
  commit_subject: string | null;
  commit_author: string | null;
  commit_time: string | null;
  seq: number | null;
  first_seen_at: string;
  newest: number;
  flows: string | null;
}

/**
 * For the works of the writers. What is known already is added to and not replaced: a statement's number and a commit belong to
 * the revision for ever. One that an agent tells of late, with a commit older than that of the newest, is not the newest.
 */
export function noteRelease(database: ConsoleDatabase, note: ReleaseNote, at: Date): void {
  const there = database
    .prepare('SELECT seq, commit_subject FROM releases WHERE slug = ? AND revision = ?')
    .get(note.tenant, note.revision) as Pick<Row, 'seq' | 'commit_subject'> | undefined;
  if (there === undefined) return insert(database, note, at, orderOf(database, note, at));
  const addsSeq = there.seq === null && note.seq !== null;
  const addsCommit = there.commit_subject === null && note.commit !== null;
  if (addsSeq || addsCommit) complete(database, note);
}

function insert(database: ConsoleDatabase, note: ReleaseNote, at: Date, newestAt: string): void {
  const { tenant, revision, commit, seq } = note;
  database
    .prepare(
      `INSERT INTO releases (slug, revision, commit_subject, commit_author, commit_time, seq, first_seen_at, newest_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      tenant,
      revision,
      commit?.subject ?? null,
      commit?.author ?? null,
      commit?.time ?? null,
      seq,
      at.toISOString(),
      newestAt,
    );
}

function complete(database: ConsoleDatabase, { tenant, revision, commit, seq }: ReleaseNote): void {
  database
    .prepare(
      `UPDATE releases SET seq = coalesce(seq, :seq), commit_subject = coalesce(commit_subject, :subject),
         commit_author = coalesce(commit_author, :author), commit_time = coalesce(commit_time, :time)
       WHERE slug = :tenant AND revision = :revision`,
    )
    .run({
      tenant,
      revision,
      seq,
      subject: commit?.subject ?? null,
      author: commit?.author ?? null,
      time: commit?.time ?? null,
    });
}

/** By which releases are put in order: when it was first seen, or when it was committed if that was before the newest was. */
function orderOf(database: ConsoleDatabase, { tenant, commit }: ReleaseNote, at: Date): string {
  const now = at.toISOString();
  if (commit === null) return now;
  const newest = database
    .prepare('SELECT commit_time FROM releases WHERE slug = ? ORDER BY newest_at DESC, id DESC LIMIT 1')
    .get(tenant) as Pick<Row, 'commit_time'> | undefined;
  const committed = new Date(commit.time);
  const isLate = newest?.commit_time != null && committed < new Date(newest.commit_time);
  return isLate ? new Date(Math.min(committed.getTime(), at.getTime())).toISOString() : now;
}

const NEWEST_OF = `(SELECT n.id FROM releases n WHERE n.slug = r.slug ORDER BY n.newest_at DESC, n.id DESC LIMIT 1)`;
const SELECT = `SELECT r.id, r.slug, r.revision, r.commit_subject, r.commit_author, r.commit_time, r.seq, r.first_seen_at, r.flows,
  r.id = ${NEWEST_OF} AS newest FROM releases r`;
const DIGITS = /^[0-9a-f]{7,64}$/;

export function createReleaseStore(database: ConsoleDatabase): ReleaseStore {
  return {
    pushed: (note, at) =>
      database.write(() => {
        const newest = database
          .prepare('SELECT revision FROM releases WHERE slug = ? ORDER BY newest_at DESC, id DESC LIMIT 1')
          .get(note.tenant) as Pick<Row, 'revision'> | undefined;
        noteRelease(database, note, at);
        const isNews = newest?.revision !== note.revision;
        database
          .prepare(
            `UPDATE releases SET flows = coalesce(:flows, flows), newest_at = CASE WHEN :news THEN :at ELSE newest_at END
             WHERE slug = :tenant AND revision = :revision`,
          )
          .run({
            flows: note.flows === null ? null : JSON.stringify(note.flows),
            news: Number(isNews),
            at: at.toISOString(),
            tenant: note.tenant,
            revision: note.revision,
          });
        return isNews;
      }),
    read: (note) =>
      database.write(() => {
        complete(database, note);
        database
          .prepare('UPDATE releases SET flows = ? WHERE slug = ? AND revision = ?')
          .run(JSON.stringify(note.flows), note.tenant, note.revision);
      }),
    async list(scope, { q, limit, offset }) {
      const words = wordsOf(q);
      const text = "lower(concat_ws(' ', r.slug, r.revision, r.commit_subject, r.commit_author, r.seq))";
      const where = `WHERE ${inScope('r.slug')} ${words.map((_word, at) => `AND instr(${text}, :word${at}) > 0`).join(' ')}`;
      const parameters = {
        ...scopeParameter(scope),
        ...Object.fromEntries(words.map((word, at) => [`word${at}`, word])),
      };
      const { total } = database
        .prepare(`SELECT count(*) AS total FROM releases r ${where}`)
        .get(parameters) as { total: number };
      const rows = database
        .prepare(`${SELECT} ${where} ORDER BY r.newest_at DESC, r.id DESC LIMIT :limit OFFSET :offset`)
        .all({ ...parameters, limit, offset });
      return { total, releases: rows.map(asRelease) };
    },
    newest: async (scope) =>
      database
        .prepare(
          `${SELECT} WHERE ${inScope('r.slug')} AND r.id = ${NEWEST_OF} ORDER BY r.newest_at DESC, r.id DESC`,
        )
        .all(scopeParameter(scope))
        .map(asRelease),
    async get(tenant, revision) {
      const whole = database.prepare(`${SELECT} WHERE r.slug = ? AND r.revision = ?`).get(tenant, revision);
      if (whole !== undefined) return asRelease(whole);
      if (!DIGITS.test(revision)) return null;
      const rows = database
        .prepare(
          `${SELECT} WHERE r.slug = ? AND substr(r.revision, instr(r.revision, ':') + 1, ?) = ? LIMIT 2`,
        )
        .all(tenant, revision.length, revision);
      return rows.length === 1 ? asRelease(rows[0]) : null;
    },
    prune: (keep) =>
      database.write(() =>
        Number(
          database
            .prepare(
              `DELETE FROM releases WHERE id IN (SELECT id FROM (SELECT id, slug, revision,
                 row_number() OVER (PARTITION BY slug ORDER BY newest_at DESC, id DESC) AS place FROM releases) WHERE place > ?)
               AND revision NOT IN (SELECT applied_revision FROM agent_summaries WHERE applied_revision IS NOT NULL)
               AND revision NOT IN (SELECT desired_revision FROM agent_summaries WHERE desired_revision IS NOT NULL)`,
            )
            .run(keep).changes,
        ),
      ),
  };
}

function asRelease(found: unknown): KnownRelease {
  const row = found as Row;
  const { id, slug: tenant, revision, seq, first_seen_at } = row;
  const commit =
    row.commit_subject === null || row.commit_author === null || row.commit_time === null
      ? null
      : { subject: row.commit_subject, author: row.commit_author, time: row.commit_time };
  const flows = row.flows === null ? null : (JSON.parse(row.flows) as ReleasedFlow[]);
  return { id, tenant, revision, commit, seq, first_seen_at, newest: row.newest === 1, flows };
}
