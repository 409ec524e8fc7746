import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { addTenant, startConsole } from './running-console.ts';

/** Fills the page that a table begins with; what else there is stays as it was. */
async function damage(path: string, table: string): Promise<void> {
  const sql = new DatabaseSync(path);
  const { page_size: size } = sql.prepare('PRAGMA page_size').get() as { page_size: number };
  const { rootpage } = sql.prepare('SELECT rootpage FROM sqlite_master WHERE name = ?').get(table) as {
    rootpage: number;
  };
  sql.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  sql.close();
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(size, 0xff), 0, size, (rootpage - 1) * size);
  await file.close();
}

it('a damaged page that is read later is told in words: to callers by a code, to the log with the file and what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'console-damage-'));
  try {
    const dataDirectory = join(folder, 'data');
    await using first = await startConsole({ dataDirectory });
    await addTenant(first, 'acme');
    await first.console.close();
    const path = join(dataDirectory, 'console.db');
    await damage(path, 'trigger_keys');

    const lines: string[] = [];
    const sink = new PassThrough().on('data', (line: Buffer) => lines.push(line.toString()));
    await using again = await startConsole({ dataDirectory, log: pino({ level: 'error' }, sink) });
    const call = async (method: string, at: string, body?: unknown) => {
      const answer = await fetch(again.url + at, {
        method,
        headers: {
          'x-api-key': again.apiKey,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, text: await answer.text() };
    };
    for (const [method, at, body] of [
      ['GET', '/api/tenants', undefined],
      ['DELETE', '/api/tenants/acme/trigger-key', undefined],
    ] as const) {
      const { status, text } = await call(method, at, body);
      expect([method, status, JSON.parse(text)]).toEqual([
        method,
        500,
        { error: { code: 'damaged', message: expect.stringContaining('restores a backup') as string } },
      ]);
      expect(text).not.toMatch(/malformed|SQLITE|console\.db/);
    }
    const said = lines.join('');
    expect(said).toContain(`expected a sound database in ${path}, found it damaged`);
    expect(said).toContain('edge-console restore <backup> --data <folder>');
    // what lies on other pages is answered as ever
    expect((await call('GET', '/api/agents')).status).toBe(200);
    expect(
      (await call('POST', '/api/keys', { label: 'x', grants: [{ tenant: '*', role: 'viewer' }] })).status,
    ).toBe(201);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
