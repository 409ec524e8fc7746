import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandStore } from '../../reconciler/ports.ts';
import type { Command } from '../../schemas/command.ts';
import { createCommandStore } from '../../store/command-store.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { stateSince } from '../../store/state-since.ts';

const NOW = new Date('2026-11-20T15:00:00Z');
const later = (ms: number) => new Date(NOW.getTime() + ms);

let folder: string;
let database: Database;
let store: CommandStore;
const open = () => {
  database = openDatabase(join(folder, 'agent.db'));
  store = createCommandStore(database);
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'commands-'));
  open();
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function command(id: string, expires = later(60_000)): Extract<Command, { action: 'run' }> {
  return {
    command_id: id,
    action: 'run',
    tenant: 'acme',
    agent_id: 'a-1',
    issued: NOW.toISOString(),
    expires: expires.toISOString(),
    run_id: `run-${id}`,
    flow: 'invoice-bot',
    inputs: { customer: 42 },
    timeout: 60_000,
  };
}

describe('commands on disk', () => {
  it('are taken once, whatever comes under the same id', () => {
    expect(store.insert(command('c-1'), 'websocket', NOW)).toBe(true);
    expect(store.insert({ ...command('c-1'), flow: 'payroll' }, 'rathole', NOW)).toBe(false);
    expect(store.get('c-1')).toEqual({
      command: command('c-1'),
      via: 'websocket',
      receivedAt: NOW.toISOString(),
      doneAt: null,
      outcome: null,
    });
    expect(store.get('c-2')).toBeNull();
  });

  it('wait in the order in which they came, also after the database was closed', () => {
    for (const id of ['c-3', 'c-1', 'c-2']) store.insert(command(id), 'websocket', NOW);
    store.done('c-1', later(5), 'run run-c-1 is queued');
    database.close();
    open();
    expect(store.pending(10).map((each) => each.command.command_id)).toEqual(['c-3', 'c-2']);
    expect(store.pending(1)).toHaveLength(1);
    expect(store.count()).toEqual({ pending: 2, all: 3 });
  });

  it('remember what came of them, and no longer what they asked for it with', () => {
    store.insert(command('c-1'), 'websocket', NOW);
    store.done('c-1', later(5), 'run run-c-1 is queued');
    const { inputs: _inputs, ...kept } = command('c-1');
    expect(store.get('c-1')).toMatchObject({
      doneAt: later(5).toISOString(),
      outcome: 'run run-c-1 is queued',
    });
    expect(store.get('c-1')?.command).toEqual(kept);
    expect(() => store.done('c-1', later(6), 'again')).toThrow(/not done/);
  });

  it('are forgotten when they are done and expired, and only then', () => {
    store.insert(command('expired'), 'websocket', NOW);
    store.insert(command('waiting'), 'websocket', NOW);
    store.insert(command('alive', later(120_000)), 'websocket', NOW);
    store.done('expired', NOW, 'done');
    store.done('alive', NOW, 'done');
    expect(store.prune(later(60_000))).toBe(0);
    expect(store.forgottenUntil()).toBeNull();
    expect(store.prune(later(60_001))).toBe(1);
    expect(store.get('expired')).toBeNull();
    expect(store.count()).toEqual({ pending: 1, all: 2 });
  });

  it('leave behind until when they could have been valid', () => {
    for (const [id, ms] of [
      ['a', 60_000],
      ['b', 30_000],
    ] as const) {
      store.insert(command(id, later(ms)), 'websocket', NOW);
      store.done(id, NOW, 'done');
      store.prune(later(90_000));
    }
    expect(store.forgottenUntil()).toEqual(later(60_000));
  });
});

describe('the beginning of the state', () => {
  it('is when it was first asked for, and stays', () => {
    expect(stateSince(createStateDocuments(database), NOW)).toEqual(NOW);
    database.close();
    open();
    expect(stateSince(createStateDocuments(database), later(1_000))).toEqual(NOW);
  });

  it('is a new one when the state was lost', () => {
    stateSince(createStateDocuments(database), NOW);
    database.close();
    rmSync(join(folder, 'agent.db'));
    open();
    expect(stateSince(createStateDocuments(database), later(1_000))).toEqual(later(1_000));
  });
});
