import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CommandInboxControl,
  type CommandInboxDeps,
  createCommandInbox,
} from '../../reconciler/command-inbox.ts';
import type { CommandActions, CommandOutcome } from '../../reconciler/command-work.ts';
import type { Clock, CommandStore } from '../../reconciler/ports.ts';
import type { EventDraft } from '../../schemas/event.ts';
import { createCommandStore } from '../../store/command-store.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { createSystemClock } from '../../system/clock.ts';
import { signCommand } from '../../trust/ceremony/command.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { createCommandVerifier } from '../../trust/command-verifier.ts';
import { AGENT, goodHeader, rootWithTrigger, runCommand, signRaw } from '../trust/signed-commands.ts';
import { EMPTY, NOW } from '../trust/signed-files.ts';

const keys = await rootWithTrigger();
const verifier = createCommandVerifier({ pinnedRoot: keys.text, tenant: 'acme' });
const sign = (changes: Record<string, unknown> = {}) => signCommand(runCommand(changes), keys.trigger);
const { run_id: _run, flow: _flow, inputs: _inputs, ...envelope } = runCommand() as Record<string, unknown>;
const signAction = (members: Record<string, unknown>) =>
  signRaw(goodHeader(keys.trigger), { ...envelope, ...members }, keys.trigger);

let folder: string;
let database: Database;
let store: CommandStore;
let now: Date;
let monotonicMs: number;
let events: EventDraft[];
let faults: unknown[];
let asked: string[];
let agentId: string | null;
const clock: Clock = { ...createSystemClock(), now: () => now, monotonicMs: () => monotonicMs };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inbox-'));
  now = NOW;
  monotonicMs = 0;
  agentId = AGENT;
  [events, faults, asked] = [[], [], []];
  open();
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): void {
  database = openDatabase(join(folder, 'agent.db'));
  store = createCommandStore(database);
}

const ok = (message: string): CommandOutcome => ({ ok: true, message });
/** Notes what was asked, and does it at once. */
function noting(changes: Partial<CommandActions> = {}): CommandActions {
  const note = async (text: string) => {
    asked.push(text);
    return ok(text);
  };
  return {
    run({ run_id }) {
      asked.push(`run ${run_id}`);
      return ok(`run ${run_id} is queued`);
    },
    cancel: ({ run_id }) => note(`cancel ${run_id}`),
    suspend: ({ by, until }) => note(`suspend ${by} ${until ?? 'for ever'}`),
    resume: ({ by }) => note(`resume ${by}`),
    rollback: ({ flow, why }) => note(`rollback ${flow} ${why}`),
    ...changes,
  };
}

function inboxWith(
  actions: CommandActions = noting(),
  overStore: CommandStore = store,
  changes: Partial<CommandInboxDeps> = {},
): CommandInboxControl {
  return createCommandInbox({
    verifier: () => verifier,
    trustMemory: async () => EMPTY,
    store: overStore,
    actions,
    transaction: database.transaction,
    tenant: 'acme',
    agentId: () => agentId,
    stateSince: new Date(0),
    events: { emit: (draft) => events.push(draft) },
    clock,
    onFault: (error) => faults.push(error),
    ...changes,
  });
}

const reasons = () => events.map((event) => event.reason);

describe('a command that arrives', () => {
  it('is on disk when it is accepted, and is carried out afterwards', async () => {
    const inbox = inboxWith();
    expect(await inbox.receive(await sign(), 'websocket')).toEqual({ kind: 'accepted', commandId: 'c-1' });
    expect(store.get('c-1')).toMatchObject({ via: 'websocket', doneAt: null });
    expect(asked).toEqual([]);
    inbox.start();
    await inbox.idle();
    expect(asked).toEqual(['run r-1']);
    expect(store.get('c-1')).toMatchObject({ outcome: 'run r-1 is queued' });
    expect(events).toMatchObject([
      {
        severity: 'info',
        reason: 'CommandAccepted',
        flow: 'invoice-bot',
        run_id: 'r-1',
        because: expect.stringContaining('trigger key'),
      },
      { severity: 'info', reason: 'CommandDone', message: 'command c-1: run r-1 is queued', run_id: 'r-1' },
    ]);
    expect(events.map(({ command_id }) => command_id)).toEqual(['c-1', 'c-1']);
    await inbox.close();
  });

  it('is acknowledged again and done once, however often it comes', async () => {
    const inbox = inboxWith();
    inbox.start();
    const jws = await sign();
    const receipts = await Promise.all([1, 2, 3].map(() => inbox.receive(jws, 'websocket')));
    await inbox.idle();
    receipts.push(await inbox.receive(jws, 'rathole'));
    await inbox.idle();
    expect(receipts.map((receipt) => receipt.kind)).toEqual(['accepted', 'repeated', 'repeated', 'repeated']);
    expect(asked).toEqual(['run r-1']);
    expect(reasons()).toEqual(['CommandAccepted', 'CommandDone']);
    await inbox.close();
  });

  it('is acknowledged again even when it has expired since: only its acknowledgement was lost', async () => {
    const inbox = inboxWith();
    inbox.start();
    const jws = await sign();
    await inbox.receive(jws, 'websocket');
    now = new Date(NOW.getTime() + 3_600_000);
    expect(await inbox.receive(jws, 'websocket')).toEqual({ kind: 'repeated', commandId: 'c-1' });
    await inbox.close();
  });

  it('does what its action says, in the order of arrival', async () => {
    const inbox = inboxWith();
    inbox.start();
    const until = new Date(NOW.getTime() + 60_000).toISOString();
    const jws = [
      await sign({ command_id: 'c-1' }),
      signAction({ command_id: 'c-2', action: 'cancel', run_id: 'r-1' }),
      signAction({ command_id: 'c-3', action: 'suspend', by: 'Ann', why: 'audit', until }),
      signAction({ command_id: 'c-4', action: 'resume', by: 'Bob' }),
      signAction({ command_id: 'c-5', action: 'rollback', flow: 'invoice-bot', by: 'Ann', why: 'totals' }),
      await sign({ command_id: 'c-6', run_id: 'r-2' }),
    ];
    await Promise.all(jws.map((each) => inbox.receive(each, 'websocket')));
    await inbox.idle();
    expect(asked).toEqual([
      'run r-1',
      'cancel r-1',
      `suspend Ann ${until}`,
      'resume Bob',
      'rollback invoice-bot totals',
      'run r-2',
    ]);
    expect(store.count()).toEqual({ pending: 0, all: 6 });
    await inbox.close();
  });

  it('that changed which version is active says which it is', async () => {
    const inbox = inboxWith(noting({ rollback: async () => ({ ok: true, message: 'back', version: 'v1' }) }));
    inbox.start();
    const rollback = { command_id: 'c-1', action: 'rollback', flow: 'invoice-bot', by: 'Ann', why: 'x' };
    await inbox.receive(signAction(rollback), 'websocket');
    await inbox.idle();
    expect(events.at(-1)).toMatchObject({ reason: 'CommandDone', flow: 'invoice-bot', version: 'v1' });
    await inbox.close();
  });

  it('that fails is done all the same, and said to have failed', async () => {
    const rollback = async () => {
      throw new Error('disk on fire');
    };
    const cancel = async () => ({ ok: false, message: 'expected the id of a run, found "r-9"' });
    const inbox = inboxWith(noting({ rollback, cancel }));
    inbox.start();
    await inbox.receive(
      signAction({ command_id: 'c-1', action: 'rollback', flow: 'invoice-bot', by: 'Ann', why: 'x' }),
      'websocket',
    );
    await inbox.receive(signAction({ command_id: 'c-2', action: 'cancel', run_id: 'r-9' }), 'websocket');
    await inbox.receive(await sign({ command_id: 'c-3' }), 'websocket');
    await inbox.idle();
    expect(store.get('c-1')?.outcome).toMatch(/failed: disk on fire/);
    expect(events.filter((event) => event.reason === 'CommandDone')).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('disk on fire') },
      { severity: 'warning', message: 'command c-2: expected the id of a run, found "r-9"' },
      { severity: 'info' },
    ]);
    expect(faults).toHaveLength(1);
    await inbox.close();
  });
});

describe('after a crash', () => {
  it('what was accepted and not done is carried out at the next start, in order', async () => {
    const before = inboxWith();
    for (const id of ['c-1', 'c-2', 'c-3']) {
      await before.receive(await sign({ command_id: id, run_id: `run-${id}` }), 'websocket');
    }
    database.close();
    open();
    const after = inboxWith();
    after.start();
    await after.idle();
    expect(asked).toEqual(['run run-c-1', 'run run-c-2', 'run run-c-3']);
    await after.close();
  });

  it('what was accepted for another agent is noted and not carried out', async () => {
    const before = inboxWith();
    await before.receive(await sign(), 'websocket');
    await before.receive(
      signAction({ command_id: 'c-2', action: 'rollback', flow: 'invoice-bot', by: 'Ann', why: 'totals' }),
      'websocket',
    );
    await before.close();
    agentId = 'agent-two';
    const after = inboxWith();
    after.start();
    await after.idle();
    expect(asked).toEqual([]);
    expect(store.pending(10)).toEqual([]);
    expect(store.get('c-2')?.outcome).toContain(
      `not done: expected a command for agent agent-two of tenant acme, found one for agent ${AGENT}`,
    );
    expect(events.slice(-2)).toMatchObject([
      { severity: 'warning', reason: 'CommandDone', run_id: 'r-1' },
      { severity: 'warning', reason: 'CommandDone', flow: 'invoice-bot' },
    ]);
    await after.close();
  });

  it('between queuing a run and noting it, neither has happened: it runs once', async () => {
    database.sqlite.exec('CREATE TABLE test_runs (run_id TEXT PRIMARY KEY) STRICT');
    const insert = database.sqlite.prepare('INSERT INTO test_runs VALUES (?)');
    const run: CommandActions['run'] = ({ run_id }) => {
      insert.run(run_id);
      return ok('queued');
    };
    const dying: CommandStore = {
      ...store,
      done() {
        throw new Error('power cut');
      },
    };
    const before = inboxWith(noting({ run }), dying);
    before.start();
    await before.receive(await sign(), 'websocket');
    await before.close();
    const rows = () => database.sqlite.prepare('SELECT run_id FROM test_runs').all();
    expect(rows()).toEqual([]);
    expect(faults).toMatchObject([{ message: 'power cut' }]);
    const after = inboxWith(noting({ run }));
    after.start();
    await after.idle();
    expect(rows()).toHaveLength(1);
    expect(store.get('c-1')?.outcome).toBe('queued');
    await after.close();
  });

  it('an action that closing interrupted is asked for again', async () => {
    const rollback: CommandActions['rollback'] = (_command, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const before = inboxWith(noting({ rollback }));
    before.start();
    await before.receive(
      signAction({ action: 'rollback', flow: 'invoice-bot', by: 'Ann', why: 'totals' }),
      'websocket',
    );
    await before.close();
    expect(store.count().pending).toBe(1);
    const after = inboxWith();
    after.start();
    await after.idle();
    expect(asked).toEqual(['rollback invoice-bot totals']);
    await after.close();
  });

  it('a command that was forgotten is not believed again when the clock is set back', async () => {
    const jws = await sign();
    const inbox = inboxWith();
    inbox.start();
    await inbox.receive(jws, 'websocket');
    await inbox.idle();
    now = new Date(NOW.getTime() + 3_600_000);
    inbox.prune();
    expect(store.get('c-1')).toBeNull();
    now = NOW;
    expect(await inbox.receive(jws, 'websocket')).toMatchObject({ kind: 'refused', code: 'command_expired' });
    const fresh = await sign({ command_id: 'c-2', expires: new Date(NOW.getTime() + 120_000).toISOString() });
    expect(await inbox.receive(fresh, 'websocket')).toMatchObject({ kind: 'accepted' });
    await inbox.close();
  });
});

describe('a clock that is wrong', () => {
  const open24 = { issued: NOW.toISOString(), expires: new Date(NOW.getTime() + 86_400_000).toISOString() };

  it('opens no way back for a command whose state was lost: the time of what came from ahead is kept elsewhere', async () => {
    now = new Date(NOW.getTime() - 600_000);
    const noted: Date[] = [];
    const deps = { clockOffsetMs: () => 600_000, noteAhead: async (issued: Date) => void noted.push(issued) };
    const inbox = inboxWith(noting(), store, { ...deps, stateSince: now });
    const jws = await sign(open24);
    expect(await inbox.receive(jws, 'websocket')).toMatchObject({ kind: 'accepted' });
    expect(noted).toEqual([NOW]);
    await inbox.close();

    database.close();
    rmSync(join(folder, 'agent.db'));
    open();
    // what agent/state.ts makes of it
    const stateSince = new Date((noted[0] as Date).getTime() + 1);
    const anew = inboxWith(noting(), store, { ...deps, stateSince });
    expect(await anew.receive(jws, 'websocket')).toMatchObject({ kind: 'refused', code: 'older_than_state' });
    await anew.close();
  });

  it('keeps nothing elsewhere while it is right, and takes no command that could not be kept', async () => {
    const noted: Date[] = [];
    const right = inboxWith(noting(), store, { noteAhead: async (issued) => void noted.push(issued) });
    expect(await right.receive(await sign(open24), 'websocket')).toMatchObject({ kind: 'accepted' });
    expect(noted).toEqual([]);
    await right.close();
    now = new Date(NOW.getTime() - 60_000);
    const full = inboxWith(noting(), store, { noteAhead: () => Promise.reject(new Error('ENOSPC')) });
    const next = await sign({ ...open24, command_id: 'c-2' });
    expect(await full.receive(next, 'websocket')).toMatchObject({ kind: 'busy' });
    expect(store.get('c-2')).toBeNull();
    await full.close();
  });
});

describe('a command that is done', () => {
  it('is forgotten after it has expired, without anybody asking for it', async () => {
    const inbox = inboxWith();
    inbox.start();
    await inbox.receive(await sign(), 'websocket');
    await inbox.idle();
    now = new Date(NOW.getTime() + 3_600_000);
    monotonicMs = 3_600_000;
    const next = { command_id: 'c-2', issued: now.toISOString() };
    await inbox.receive(
      await sign({ ...next, expires: new Date(now.getTime() + 1_000).toISOString() }),
      'websocket',
    );
    await inbox.idle();
    expect([store.get('c-1'), store.count().all]).toEqual([null, 1]);
    await inbox.close();
  });
});

describe('what is not believed', () => {
  it('changes nothing, and the event says why and which', async () => {
    const inbox = inboxWith();
    inbox.start();
    const forged = signRaw(goodHeader(keys.trigger), runCommand(), newKey());
    expect(await inbox.receive(forged, 'rathole')).toMatchObject({
      kind: 'refused',
      code: 'signature_invalid',
    });
    await inbox.idle();
    expect(asked).toEqual([]);
    expect(store.count()).toEqual({ pending: 0, all: 0 });
    expect(events).toMatchObject([
      {
        severity: 'warning',
        reason: 'CommandRefused',
        because: 'signature_invalid',
        message: expect.stringMatching(/c-1, through rathole/),
      },
    ]);
    await inbox.close();
  });

  it('does not fill the disk: a flood is one event in ten seconds for each code, with a count', async () => {
    const inbox = inboxWith();
    for (let sent = 0; sent < 500; sent += 1) await inbox.receive(`${sent}`, 'websocket');
    await inbox.receive('a.b', 'websocket');
    await inbox.receive('a b.c.d', 'websocket');
    expect(events.map((event) => event.because)).toEqual(['command_malformed', 'base64url_malformed']);
    monotonicMs = 10_000;
    await inbox.receive('again', 'websocket');
    expect(events[2]?.message).toMatch(/500 more were refused like it/);
    await inbox.close();
  });
});

describe('bounds', () => {
  it('tells the console to wait when ten thousand commands wait already', async () => {
    const full: CommandStore = { ...store, count: () => ({ pending: 10_000, all: 10_000 }) };
    const inbox = inboxWith(noting(), full);
    expect(await inbox.receive(await sign(), 'websocket')).toMatchObject({ kind: 'busy', afterMs: 5_000 });
    expect(store.count().all).toBe(0);
    await inbox.close();
  });

  it('tells the console to wait when the command cannot be written down', async () => {
    const broken: CommandStore = {
      ...store,
      insert() {
        throw new Error('database or disk is full');
      },
    };
    const inbox = inboxWith(noting(), broken);
    expect(await inbox.receive(await sign(), 'websocket')).toMatchObject({
      kind: 'busy',
      message: expect.stringContaining('disk is full'),
    });
    expect(faults).toHaveLength(1);
    await inbox.close();
  });

  it('takes at most so many at once, and nothing after it is closed', async () => {
    const inbox = inboxWith();
    const receipts = await Promise.all(Array.from({ length: 300 }, () => inbox.receive('x', 'websocket')));
    expect(receipts.filter((receipt) => receipt.kind === 'busy')).toHaveLength(300 - 256);
    await inbox.close();
    expect(await inbox.receive(await sign(), 'websocket')).toMatchObject({ kind: 'busy' });
  });
});
