import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../schemas/command.ts';
import { createCommandStore } from '../../store/command-store.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { serveTenant } from '../../store/other-tenants.ts';
import { createReportQueue } from '../../store/report-queue.ts';
import { createRunStore } from '../../store/run-store.ts';

const AT = new Date('2026-11-20T15:00:00Z');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenants-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One life of the agent, serving a tenant. */
function life<T>(slug: string, live: (state: ReturnType<typeof open>) => T): T {
  const state = open(slug);
  try {
    return live(state);
  } finally {
    state.database.close();
  }
}

function open(slug: string) {
  const database = openDatabase(join(folder, 'agent.db'));
  const others = serveTenant(database, slug);
  const [runs, reports] = [createRunStore(database), createReportQueue(database)];
  const commands = createCommandStore(database);
  const insert = (run_id: string, state: 'queued' | 'running' | 'succeeded') =>
    runs.insert({
      run_id,
      flow: 'default',
      state,
      attempt: 1,
      process: state === 'running' ? { pid: 4711, started: 'boot:1' } : null,
      finished_at: state === 'succeeded' ? AT.toISOString() : null,
      input: { customer: slug },
    } as Parameters<typeof runs.insert>[0]);
  return {
    database,
    others,
    runs,
    reports,
    commands,
    insert,
    documents: createStateDocuments(database),
    holds: () => ({
      runs: runs.list({ limit: 10 }).map(({ run_id, state }) => `${run_id} ${state}`),
      reports: reports.list(10).map(({ kind, key, body, attempts }) => ({ kind, key, body, attempts })),
      pending: commands.pending(10).map(({ command }) => command.command_id),
    }),
  };
}

const NOTHING = { runs: [], reports: [], pending: [] };
const command = (command_id: string) =>
  ({ command_id, tenant: 'acme', expires: '2026-11-21T15:00:00Z' }) as Command;

/** What the agent of acme has to do and to say. */
function fill({ insert, reports, commands }: ReturnType<typeof open>): void {
  insert('r-1', 'succeeded');
  insert('r-2', 'running');
  insert('r-3', 'queued');
  for (const key of ['r-0.1', 'r-1.1']) reports.add({ kind: 'notify', key, body: { of: 'acme' }, at: AT });
  reports.add({ kind: 'upload', key: 'file/u-1', body: {}, at: AT });
  const [first] = reports.list(1);
  if (first !== undefined) reports.postpone(first.id, 3, AT, 'no answer');
  for (const id of ['c-1', 'c-2', 'c-3']) commands.insert(command(id), 'websocket', AT);
  commands.done('c-1', AT, 'queued');
}

describe('another tenant of the same state', () => {
  it('finds neither runs nor reports nor commands of the one before', () => {
    life('acme', fill);
    life('globex', ({ holds, runs, reports, commands }) => {
      expect(holds()).toEqual(NOTHING);
      expect(runs.count('queued')).toBe(0);
      expect(reports.due('notify', new Date('2027-01-01T00:00:00Z'), 10)).toEqual([]);
      expect(reports.totals()).toEqual({ pending: 0, oldest_at: null, parked: 0 });
      expect(commands.count()).toEqual({ pending: 0, all: 0 });
    });
  });

  it('gives them back as they were, in their order, beside nothing of the other', () => {
    const before = life('acme', (state) => {
      fill(state);
      return state.holds();
    });
    life('globex', ({ insert, reports, commands }) => {
      // the other console may well choose the same ids
      insert('r-1', 'queued');
      insert('g-2', 'queued');
      reports.add({ kind: 'notify', key: 'r-1.1', body: { of: 'globex' }, at: AT });
      commands.insert(command('c-2'), 'websocket', AT);
    });
    life('acme', ({ holds, runs, commands, insert }) => {
      expect(holds()).toEqual(before);
      expect(runs.get('r-1')).toMatchObject({ state: 'succeeded', input: { customer: 'acme' } });
      expect(commands.get('c-1')).toMatchObject({ outcome: 'queued' });
      insert('r-4', 'queued');
      expect(runs.list({ limit: 1 })).toMatchObject([{ run_id: 'r-4' }]);
    });
    life('globex', ({ holds }) => {
      const { runs, reports, pending } = holds();
      expect({ runs, pending }).toEqual({ runs: ['g-2 queued', 'r-1 queued'], pending: ['c-2'] });
      expect(reports).toMatchObject([{ key: 'r-1.1', body: { of: 'globex' } }]);
    });
  });

  it('knows what may still run of the one before, and which of its files wait', () => {
    const service = {
      flow: 'web',
      slot: 1,
      processes: [{ run_id: 'service-1', slot: 1, version: 'v1', path: 'flows/web/v1', process: null }],
    };
    life('acme', (state) => {
      fill(state);
      state.documents.write('tenant/acme/service/web', service);
      state.documents.write('tenant/acme/name/flows/service/v1', 'a digest');
      expect(state.others.left()).toEqual([]);
      expect(state.others.awaitsUpload('u-1')).toBe(false);
    });
    life('globex', ({ others }) => {
      expect(others.left()).toEqual([
        { runId: 'r-2', process: { pid: 4711, started: 'boot:1' } },
        { runId: 'service-1', process: null },
      ]);
      expect(others.awaitsUpload('u-1')).toBe(true);
      expect(others.awaitsUpload('u-2')).toBe(false);
    });
  });

  it('leaves a state alone that knew of no tenant yet', () => {
    const database = openDatabase(join(folder, 'agent.db'));
    createReportQueue(database).add({ kind: 'notify', key: 'r-1.1', body: {}, at: AT });
    database.close();
    life('acme', ({ holds }) => expect(holds().reports).toHaveLength(1));
  });
});
