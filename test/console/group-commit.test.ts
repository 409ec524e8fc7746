import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreBusy } from '../../console/store/busy.ts';
import { type ConsoleDatabase, openDatabase } from '../../console/store/sqlite/database.ts';

let folder: string;
let path: string;
let database: ConsoleDatabase;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'group-commit-'));
  path = join(folder, 'console.db');
  database = open();
});
afterEach(() => {
  if (database.sql.isOpen) database.close();
  rmSync(folder, { recursive: true });
});

function open(options: Parameters<typeof openDatabase>[1] = {}): ConsoleDatabase {
  const opened = openDatabase(path, options);
  opened.sql.exec(
    'CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE) STRICT',
  );
  return opened;
}

const note = (text: string) => () =>
  Number(database.prepare('INSERT INTO notes (text) VALUES (?)').run(text).lastInsertRowid);

/** What another connection sees: what is committed. */
function committed(): string[] {
  const other = new DatabaseSync(path, { readOnly: true });
  try {
    return (other.prepare('SELECT text FROM notes ORDER BY id').all() as { text: string }[]).map(
      ({ text }) => text,
    );
  } finally {
    other.close();
  }
}

/** A process that takes the lock and keeps it until it is told to let go. */
async function lockHolder(): Promise<{ release(): Promise<void> }> {
  const script = `
    const { DatabaseSync } = require('node:sqlite');
    const sql = new DatabaseSync(process.argv[1], { timeout: 10000 });
    sql.exec("BEGIN IMMEDIATE; INSERT INTO notes (text) VALUES ('the other')");
    process.stdout.write('locked');
    process.stdin.once('data', () => { sql.exec('COMMIT'); sql.close(); process.exit(0); });`;
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return {
    release: () =>
      new Promise<void>((resolve) => {
        child.once('close', () => resolve());
        child.stdin.write('go');
      }),
  };
}

describe('the group commit', () => {
  it('keeps the order of arrival and answers each with its own result, committed', async () => {
    const texts = Array.from({ length: 500 }, (_, index) => `note ${index}`);
    const ids = await Promise.all(texts.map((text) => database.write(note(text))));
    expect(ids).toEqual(texts.map((_, index) => index + 1));
    expect(committed()).toEqual(texts);
  });

  it('is written when the promise resolves, and not a moment earlier', async () => {
    const written = database.write(note('one'));
    expect(committed()).toEqual([]);
    await written;
    expect(committed()).toEqual(['one']);
  });

  it('puts what arrives together into one transaction', async () => {
    let commits = 0;
    database.close();
    database = open({
      windowMs: () => {
        commits += 1;
        return 50;
      },
      // a busy machine ends it for another reason
      batchMs: 60_000,
    });
    await Promise.all(Array.from({ length: 200 }, (_, index) => database.write(note(`a ${index}`))));
    expect(commits).toBe(1);
    const late = [
      database.write(note('b')),
      new Promise((wake) => setTimeout(wake, 5)).then(() => database.write(note('c'))),
    ];
    await Promise.all(late);
    expect(commits).toBe(2);
  });

  it('ends a batch that takes long, and goes on with the rest in order', async () => {
    let commits = 0;
    database.close();
    database = open({
      batchMs: 0,
      windowMs: () => {
        commits += 1;
        return 0;
      },
    });
    await Promise.all(['a', 'b', 'c'].map((text) => database.write(note(text))));
    expect({ commits, kept: committed() }).toEqual({ commits: 3, kept: ['a', 'b', 'c'] });
  });

  it('takes back the work that throws, alone and whole', async () => {
    const broken = database.write(() => {
      note('half')();
      throw new Error('no');
    });
    const outcomes = await Promise.allSettled([
      database.write(note('before')),
      broken,
      database.write(note('before')),
      database.write(note('after')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    await expect(broken).rejects.toThrow('no');
    expect(committed()).toEqual(['before', 'after']);
  });

  it('lets a work have parts that are taken back by themselves', async () => {
    const result = await database.write(() => {
      note('kept')();
      try {
        database.transaction(() => {
          note('part')();
          throw new Error('not this part');
        });
      } catch {
        return 'went on';
      }
      return 'never';
    });
    expect({ result, kept: committed() }).toEqual({ result: 'went on', kept: ['kept'] });
  });

  it('refuses a work that would go on after its turn', async () => {
    const late = database.write(async () => {
      note('early')();
    });
    await expect(late).rejects.toThrow('synchronous');
    expect(committed()).toEqual([]);
  });

  it('goes on with everything else while another process has the lock', async () => {
    const holder = await lockHolder();
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    let isWritten = false;
    const written = database.write(note('ours')).finally(() => {
      isWritten = true;
    });
    await expect.poll(() => turns).toBeGreaterThan(50);
    clearInterval(turning);
    expect({ isWritten, kept: committed() }).toEqual({ isWritten: false, kept: [] });
    await holder.release();
    await written;
    expect(committed()).toEqual(['the other', 'ours']);
  });

  it('gives up the writes that waited too long for another process, and takes later ones', async () => {
    database.close();
    database = open({ lockPatienceMs: 100 });
    const holder = await lockHolder();
    const outcomes = await Promise.allSettled([database.write(note('a')), database.write(note('b'))]);
    const codes = outcomes.map(
      (outcome) => outcome.status === 'rejected' && (outcome.reason as StoreBusy).code,
    );
    expect(codes).toEqual(['locked', 'locked']);
    await holder.release();
    await database.write(note('c'));
    expect(committed()).toEqual(['the other', 'c']);
  });

  it('bounds what waits', async () => {
    database.close();
    database = open({ waitingWorks: 2 });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((text) => database.write(note(text))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((outcomes[2] as PromiseRejectedResult).reason).toBeInstanceOf(StoreBusy);
    expect(committed()).toEqual(['a', 'b']);
  });

  it('does what a write asks for afterwards when it is on the disk, and nothing of one that was taken back', async () => {
    const told: string[][] = [];
    const telling = (text: string) => () => {
      note(text)();
      database.afterwards(() => told.push([text, ...committed()]));
      if (text === 'b') throw new Error('taken back');
    };
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c'].map(async (text) => database.write(telling(text))),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(told).toEqual([
      ['a', 'a', 'c'],
      ['c', 'a', 'c'],
    ]);
  });

  it('writes what waits before it closes, and nothing later', async () => {
    const waiting = Promise.all(['a', 'b'].map((text) => database.write(note(text))));
    database.close();
    expect(committed()).toEqual(['a', 'b']);
    await waiting;
    await expect(database.write(note('c'))).rejects.toThrow('closed');
  });

  it('keeps every note of two processes that write at once', async () => {
    const script = `
      const { openDatabase } = await import(process.argv[1]);
      const database = openDatabase(process.argv[2]);
      const add = (text) => database.write(() => database.prepare('INSERT INTO notes (text) VALUES (?)').run(text));
      for (let wave = 0; wave < 20; wave += 1) {
        await Promise.all([0, 1, 2].map((each) => add('theirs ' + wave + ' ' + each)));
      }
      database.close();`;
    const module = new URL('../../console/store/sqlite/database.ts', import.meta.url).href;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, module, path], {
      stdio: 'inherit',
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    for (let wave = 0; wave < 20; wave += 1) {
      await Promise.all([0, 1, 2].map((each) => database.write(note(`ours ${wave} ${each}`))));
    }
    expect(await ended).toBe(0);
    const kept = committed();
    const of = (who: string) => kept.filter((text) => text.startsWith(who));
    const expected = (who: string) =>
      Array.from({ length: 60 }, (_, index) => `${who} ${Math.floor(index / 3)} ${index % 3}`);
    expect(of('ours')).toEqual(expected('ours'));
    expect(of('theirs')).toEqual(expected('theirs'));
  });
});
