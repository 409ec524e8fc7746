import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../console/main.ts';
import { openDatabase } from '../../console/store/sqlite/database.ts';
import { migrate } from '../../console/store/sqlite/migrate.ts';
import { MIGRATIONS } from '../../console/store/sqlite/migrations.ts';
import { rowCounts, writeOldDatabase } from './old-data.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'console-'));
  path = join(folder, 'console.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OLDER = Array.from(MIGRATIONS.keys()).slice(1);

function versionOf(file: string): number {
  const sql = new DatabaseSync(file, { readOnly: true });
  const { user_version: version } = sql.prepare('PRAGMA user_version').get() as { user_version: number };
  sql.close();
  return version;
}

/** Stdout of a verb, and how it ended. */
async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => stdout.push(String(text)) > 0);
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => stderr.push(String(text)) > 0);
  try {
    const code = await main(argv);
    return { code, stdout: stdout.join(''), stderr: stderr.join('') };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

/** The first digits of the SHA-256 of each migration, as it landed. A new one comes with its own; none of these is ever another. */
const LANDED = [
  '5164fb91ea4fb907',
  '1a01e0518ba2569d',
  '26e08b0e9bd5f33d',
  '90c46d9468eac72b',
  'a820b82df515279b',
  'a3e8ee56ae235357',
  '37b95197e5f96b30',
  '545e3834dcde6ca2',
  '9ad6b47c8dc6a65c',
  '85271d064ddf3c4f',
  '11a8649c1fde8085',
  '10df03068dda4ef6',
  '382654a575c3a064',
];

it('a migration that has landed is never edited: data that it made is out there', () => {
  const digests = MIGRATIONS.map((step) => createHash('sha256').update(step).digest('hex').slice(0, 16));
  expect(digests).toEqual(LANDED);
});

describe('the data of an older console', () => {
  it.each(OLDER)(
    'of schema version %i is brought to this one with every row, and a copy of it is kept',
    (version) => {
      writeOldDatabase(path, version);
      const before = rowCounts(path);
      const database = openDatabase(path);
      database.close();
      expect(database.migrated).toMatchObject({ from: version, to: MIGRATIONS.length });
      expect(database.migrated?.changes.length).toBeGreaterThan(0);
      expect(versionOf(path)).toBe(MIGRATIONS.length);
      expect(rowCounts(path)).toMatchObject(before);
      const copy = `${path}.v${version}.bak`;
      expect([versionOf(copy), rowCounts(copy)]).toEqual([version, before]);
      expect(statSync(copy).mode & 0o777).toBe(0o600);
      // and once only
      const again = openDatabase(path);
      again.close();
      expect(again.migrated).toBeNull();
      expect(readdirSync(folder).toSorted()).toEqual(['console.db', `console.db.v${version}.bak`]);
    },
  );

  it('keeps what a key could do, and lists the runs there were', () => {
    writeOldDatabase(path, 5);
    const { sql, close } = openDatabase(path);
    expect(sql.prepare('SELECT tenant, role FROM api_key_grants').all()).toEqual([
      { tenant: '*', role: 'admin' },
    ]);
    expect(sql.prepare('SELECT run_id, state, slug FROM run_index ORDER BY run_id').all()).toEqual([
      { run_id: 'run-1', state: 'failed', slug: 'acme' },
      { run_id: 'run-2', state: 'running', slug: 'acme' },
    ]);
    close();
  });

  it('stays as it was when a check fails, and the message says where the copy is', () => {
    writeOldDatabase(path, 1);
    const sql = new DatabaseSync(path);
    // as a migration with a mistake in it would
    const mistake = `CREATE TABLE lost (agent_id TEXT REFERENCES agents DEFERRABLE INITIALLY DEFERRED);
      INSERT INTO lost VALUES ('nobody');`;
    const before = rowCounts(path);
    expect(() => migrate(sql, path, [MIGRATIONS[0] as string, mistake])).toThrow(
      `1 rows, the first in lost, that refer to rows of agents which are not there. It is as it was before, and there is a copy of it: ${path}.v1.bak`,
    );
    sql.close();
    expect([versionOf(path), rowCounts(path)]).toEqual([1, before]);
  });

  it('is refused when a newer console wrote it, and nothing of it is touched', () => {
    writeOldDatabase(path, MIGRATIONS.length);
    const sql = new DatabaseSync(path);
    sql.exec('PRAGMA user_version = 9999');
    sql.close();
    expect(() => openDatabase(path)).toThrow(/schema version \d+ or older, found 9999/);
    expect(readdirSync(folder)).toEqual(['console.db']);
  });
});

describe('edge-console migrate', () => {
  it('tries it on a copy with --dry-run, says what would change, and changes nothing', async () => {
    writeOldDatabase(path, 2);
    const { code, stdout } = await run('migrate', '--dry-run', '--data', folder);
    expect(code).toBe(0);
    expect(stdout).toContain('of schema version 2');
    expect(stdout).toContain('new table people');
    expect(stdout).toContain('agents: new key_since');
    expect(stdout).toContain('Nothing was changed');
    // SQLite's own files beside it say nothing
    const left = readdirSync(folder).filter((name) => !/-(?:wal|shm)$/.test(name));
    expect([versionOf(path), left]).toEqual([2, ['console.db']]);
  });

  it('does it, and says there is nothing to do the second time', async () => {
    writeOldDatabase(path, 3);
    const first = await run('migrate', '--data', folder, '--output', 'json');
    expect(JSON.parse(first.stdout)).toMatchObject({
      from: 3,
      to: MIGRATIONS.length,
      copy: `${path}.v3.bak`,
      dry_run: false,
    });
    expect((await run('migrate', '--data', folder)).stdout).toContain('nothing to do');
    expect((await run('migrate', '--dry-run', '--data', folder)).stdout).toContain('nothing to do');
  });

  it('makes no data where there is none', async () => {
    const empty = join(folder, 'empty');
    expect((await run('migrate', '--data', empty)).code).toBe(2);
    expect(existsSync(empty)).toBe(false);
  });
});

it('serve migrates by itself, tells so on standard error, and serves the agents there were', async () => {
  writeOldDatabase(path, 4);
  const program = join(import.meta.dirname, '../../console/main.ts');
  const child = spawn(process.execPath, [program, '--data', folder, '--port', '0', '--output', 'json'], {
    cwd: folder,
  });
  const text = { stdout: '', stderr: '' };
  child.stderr.on('data', (chunk) => (text.stderr += String(chunk)));
  child.stdout.on('data', (chunk) => (text.stdout += String(chunk)));
  try {
    await vi.waitFor(() => expect(text.stdout).toContain('\n'), { timeout: 90_000 });
    expect(text.stderr).toContain(
      `schema version 4 and is of version ${MIGRATIONS.length} now; a copy of what was: ${join(folder, 'console.db.v4.bak')}`,
    );
    const { url } = JSON.parse(text.stdout) as { url: string };
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(rowCounts(path)['agents']).toBe(1);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}, 60_000);
