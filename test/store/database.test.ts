import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';

const posix = process.platform !== 'win32';
let folder: string;
let path: string;
let database: Database | null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'database-'));
  path = join(folder, 'state', 'agent.db');
  database = null;
});
afterEach(async () => {
  database?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('openDatabase', () => {
  it('writes ahead, waits for the disk at every commit and holds foreign keys', () => {
    database = openDatabase(path);
    const pragma = (name: string) => Object.values(database?.sqlite.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    expect(pragma('journal_mode')).toBe('wal');
    expect(pragma('synchronous')).toBe(2);
    expect(pragma('foreign_keys')).toBe(1);
    expect(pragma('busy_timeout')).toBe(5_000);
  });

  it.runIf(posix)('is readable by its owner alone, the write-ahead log and the folder too', async () => {
    database = openDatabase(path);
    createStateDocuments(database).write('a', 1);
    for (const file of [path, `${path}-wal`, `${path}-shm`])
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
  });

  it('keeps what was written across a reopening', () => {
    database = openDatabase(path);
    createStateDocuments(database).write('a', { b: [1] });
    database.close();
    database = openDatabase(path);
    expect(createStateDocuments(database).read('a')).toEqual({ b: [1] });
  });

  it('refuses a schema of a newer agent and says to update', () => {
    openDatabase(path).close();
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 4711');
    newer.close();
    expect(() => openDatabase(path)).toThrow(
      expect.objectContaining({ code: 'schema_newer', message: expect.stringMatching(/found 4711.*update/) }),
    );
  });

  it('refuses a file that is no database and leaves it as it is', async () => {
    path = join(folder, 'agent.db');
    await writeFile(path, 'x'.repeat(8_192));
    expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'not_a_database' }));
    expect((await stat(path)).size).toBe(8_192);
  });

  it('names the path when it cannot be made', async () => {
    await writeFile(join(folder, 'state'), '');
    expect(() => openDatabase(path)).toThrow(
      expect.objectContaining({ code: 'unusable', message: expect.stringContaining(path) }),
    );
  });
});

describe('transaction', () => {
  const keys = () =>
    createStateDocuments(database as Database)
      .list('')
      .map(({ key }) => key);

  it('undoes everything when the work throws, nested work included', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    expect(() =>
      documents.transaction(() => {
        documents.write('a', 1);
        documents.transaction(() => documents.write('b', 1));
        throw new Error('late');
      }),
    ).toThrow('late');
    expect(keys()).toEqual([]);
  });

  it('undoes only the nested work when the outer one goes on', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    documents.transaction(() => {
      documents.write('a', 1);
      expect(() =>
        documents.transaction(() => {
          documents.write('b', 1);
          throw new Error('inner');
        }),
      ).toThrow('inner');
      documents.transaction(() => documents.write('c', 1));
    });
    expect(keys()).toEqual(['a', 'c']);
  });

  it('shows another process nothing before the outermost work is done', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    const other = openDatabase(path);
    try {
      documents.transaction(() => {
        documents.transaction(() => documents.write('a', 1));
        expect(createStateDocuments(other).read('a')).toBeNull();
      });
      expect(createStateDocuments(other).read('a')).toBe(1);
    } finally {
      other.close();
    }
  });

  it('does what waits for the commit once it is on disk, in order, and never what is undone', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    const other = openDatabase(path);
    const done: string[] = [];
    try {
      documents.transaction(() => {
        documents.write('a', 1);
        documents.afterCommit(() => done.push(`first, of ${String(createStateDocuments(other).read('a'))}`));
        documents.transaction(() => documents.afterCommit(() => done.push('second')));
        expect(() =>
          documents.transaction(() => {
            documents.afterCommit(() => done.push('of what was undone'));
            throw new Error('inner');
          }),
        ).toThrow('inner');
        documents.afterCommit(() => documents.transaction(() => documents.write('b', 1)));
        expect(done).toEqual([]);
      });
    } finally {
      other.close();
    }
    expect(done).toEqual(['first, of 1', 'second']);
    expect(keys()).toEqual(['a', 'b']);
    documents.afterCommit(() => done.push('outside'));
    expect(done.at(-1)).toBe('outside');
  });

  it('does nothing of what waited for a commit that a full disk refused', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    const done: string[] = [];
    const pages = Number(database.sqlite.prepare('PRAGMA page_count').get()?.['page_count']);
    database.sqlite.exec(`PRAGMA max_page_count = ${pages}`);
    const write = (size: number) =>
      documents.transaction(() => {
        documents.afterCommit(() => done.push(`${size} characters`));
        documents.write('a', 'x'.repeat(size));
      });
    expect(() => write(1_000_000)).toThrow('full');
    write(1);
    expect(done).toEqual(['1 characters']);
  });

  it('commits all the same when something after the commit throws, and does the rest', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    const done: string[] = [];
    expect(() =>
      documents.transaction(() => {
        documents.write('a', 1);
        documents.afterCommit(() => {
          throw new Error('afterwards');
        });
        documents.afterCommit(() => done.push('the rest'));
      }),
    ).toThrow('afterwards');
    expect(keys()).toEqual(['a']);
    expect(done).toEqual(['the rest']);
  });

  it('refuses work that goes on after it returns', () => {
    database = openDatabase(path);
    const documents = createStateDocuments(database);
    expect(() =>
      documents.transaction(async () => {
        documents.write('a', 1);
        await Promise.resolve();
      }),
    ).toThrow(TypeError);
    expect(keys()).toEqual([]);
  });
});
