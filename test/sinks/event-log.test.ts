import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Event, type EventDraft } from '../../schemas/event.ts';
import { type EventLog, type EventLogOptions, openEventLog } from '../../sinks/event-log.ts';
import { verifyEventLog } from '../../sinks/event-verify.ts';
import { createManualClock, createSystemChance } from '../../system/clock.ts';
import { recordingLog } from '../support/recording-log.ts';

let directory: string;
const opened: EventLog[] = [];
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'events-'));
});
afterEach(() => {
  for (const log of opened.splice(0)) log.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
const chance = createSystemChance();

function open(options: Partial<EventLogOptions> = {}): EventLog {
  const log = openEventLog({
    directory,
    tenant: 'acme',
    agentId: () => 'agent-1',
    clock,
    chance,
    log: recordingLog(),
    ...options,
  });
  opened.push(log);
  return log;
}

const seen = (n: number, more: Partial<EventDraft> = {}): EventDraft => ({
  severity: 'info',
  reason: 'RevisionSeen',
  message: `Revision ${n}`,
  ...more,
});
const names = () => fs.readdirSync(directory).toSorted();
const at = (name: string) => path.join(directory, name);
const rawLines = (name = 'events.jsonl') => fs.readFileSync(at(name), 'utf8').split('\n').slice(0, -1);

/** The chain, worked out without any code of the log: every line's hash is the next line's `prev`. */
function chainFromFiles(): { events: Record<string, unknown>[]; whole: boolean } {
  const files = names()
    .filter((name) => /^events(\.\d+)?\.jsonl$/.test(name))
    .toSorted((a, b) => Number(b.split('.')[1]) - Number(a.split('.')[1]) || (a === 'events.jsonl' ? 1 : -1));
  const lines = [...files.filter((name) => name !== 'events.jsonl'), 'events.jsonl'].flatMap(rawLines);
  let previous: string | null = null;
  let whole = true;
  const events = lines.map((line) => {
    const event = JSON.parse(line) as Record<string, unknown>;
    if (previous !== null && event.prev !== previous) whole = false;
    previous = createHash('sha256').update(line, 'utf8').digest('hex');
    return event;
  });
  return { events, whole };
}

describe('the event log', () => {
  test('begins a new log for another agent or tenant, whose events nobody else may report', () => {
    const kept = new Map<string, unknown>();
    const documents = {
      read: (key: string) => kept.get(key),
      write: (key: string, value: unknown) => void kept.set(key, value),
    };
    const first = open({ documents });
    first.emit(seen(1));
    first.emit(seen(2));
    first.close();
    const again = open({ documents });
    expect(again.logId).toBe(first.logId);
    again.emit(seen(3));
    again.close();
    const other = open({ documents, tenant: 'globex' });
    expect(other.logId).not.toBe(first.logId);
    other.emit(seen(4));
    expect(other.nextSeq()).toBe(2);
    other.close();
    expect(open({ documents }).logId).not.toBe(other.logId);
  });

  test('begins a new log for another agent also after a life in which that one had nothing to tell', () => {
    const kept = new Map<string, unknown>();
    const documents = {
      read: (key: string) => kept.get(key),
      write: (key: string, value: unknown) => void kept.set(key, value),
    };
    const first = open({ documents });
    first.emit(seen(1));
    first.close();
    open({ documents, agentId: () => 'agent-2' }).close();
    const other = open({ documents, agentId: () => 'agent-2' });
    expect(other.logId).not.toBe(first.logId);
    other.emit(seen(2));
    expect(other.nextSeq()).toBe(2);
    other.close();
    expect(open({ documents, agentId: () => 'agent-2' }).logId).toBe(other.logId);
  });

  test('writes the members of the contract in its order, and leaves out what is not there', () => {
    const log = open();
    log.emit({ severity: 'info', reason: 'AgentStarted', message: 'é' });
    log.emit({
      because: 'a command',
      run_id: 'r1',
      version: 'v1.0.7',
      flow: 'invoice-bot',
      revision: 'tenant/acme@sha1:0',
      message: 'It ran',
      reason: 'RunSucceeded',
      severity: 'info',
    });
    const [first, second] = rawLines();
    expect(first).toBe(
      `{"log_id":"${log.logId}","seq":1,"time":"2026-11-20T15:00:00.000Z","tenant":"acme","agent_id":"agent-1","severity":"info","reason":"AgentStarted","message":"é","prev":"${'0'.repeat(64)}"}`,
    );
    expect(Object.keys(JSON.parse(second!))).toEqual(
      'log_id,seq,time,tenant,agent_id,severity,reason,message,revision,flow,version,run_id,because,prev'.split(
        ',',
      ),
    );
    expect(JSON.parse(second!).prev).toBe(createHash('sha256').update(first!, 'utf8').digest('hex'));
    expect(log.logId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  test.skipIf(process.platform === 'win32')('is readable by its owner only', () => {
    open().emit(seen(1));
    expect(fs.statSync(at('events.jsonl')).mode & 0o777).toBe(0o600);
  });

  test('has the line in the file when emit returns', () => {
    const log = open();
    log.emit(seen(1));
    expect(rawLines()).toHaveLength(1);
    log.emit(seen(2));
    expect(rawLines()).toHaveLength(2);
  });

  test('goes on with the chain and the numbers of an earlier process', async () => {
    const first = open();
    for (let n = 1; n <= 3; n += 1) first.emit(seen(n));
    first.close();
    const second = open();
    expect(second.logId).toBe(first.logId);
    expect(second.nextSeq()).toBe(4);
    second.emit(seen(4));
    expect(chainFromFiles()).toMatchObject({ whole: true });
    expect((await second.read(1, 100)).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
  });

  test('keeps one chain across rotated files and reads across them', async () => {
    const log = open({ maxBytes: 2_000, maxFiles: 100 });
    for (let n = 1; n <= 60; n += 1) log.emit(seen(n));
    expect(names().length).toBeGreaterThan(5);
    const { events, whole } = chainFromFiles();
    expect(whole).toBe(true);
    expect(events.map((event) => event.seq)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(events.every((event) => Event.safeParse(event).success)).toBe(true);
    expect((await log.read(7, 30)).map((event) => event.seq)).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 7),
    );
    expect((await log.read(37, 100)).map((event) => event.seq)).toEqual(
      Array.from({ length: 24 }, (_, i) => i + 37),
    );
    expect((await log.tail(3)).map((event) => event.message)).toEqual([
      'Revision 58',
      'Revision 59',
      'Revision 60',
    ]);
    expect(await log.verify()).toMatchObject({ kind: 'intact', events: 60 });
    log.close();
    const again = open({ maxBytes: 2_000, maxFiles: 100 });
    again.emit(seen(61));
    expect(chainFromFiles().whole).toBe(true);
    expect((await again.read(60, 9)).map((event) => event.seq)).toEqual([60, 61]);
  });

  test('drops the oldest file when nobody waits for it, and still verifies', async () => {
    const log = open({ maxBytes: 1_000, maxFiles: 3 });
    for (let n = 1; n <= 60; n += 1) log.emit(seen(n));
    expect(names()).toEqual(['events.1.jsonl', 'events.2.jsonl', 'events.jsonl']);
    const events = await log.read(1, 100);
    expect(events[0]!.seq).toBeGreaterThan(40);
    expect(events.at(-1)!.seq).toBe(60);
    expect(await log.verify()).toMatchObject({ kind: 'intact' });
  });

  test('keeps files the SaaS has not taken up to a hard bound, and then says which events went', async () => {
    let taken = 1;
    const log = open({ maxBytes: 1_000, maxFiles: 2, keepFrom: () => taken });
    for (let n = 1; n <= 24; n += 1) log.emit(seen(n));
    expect(names().length).toBeGreaterThan(4);
    expect((await log.read(1, 1))[0]!.seq).toBe(1);
    for (let n = 25; n <= 60; n += 1) log.emit(seen(n));
    expect(names().length).toBeLessThanOrEqual(10);
    const left = await log.read(1, 100);
    const notes = left.filter((event) => event.reason === 'EventsDropped');
    expect(notes.length).toBeGreaterThan(0);
    expect(notes.at(-1)!.message).toMatch(new RegExp(`to ${left[0]!.seq - 1} were dropped`));
    expect(chainFromFiles().whole).toBe(true);
    taken = Number.POSITIVE_INFINITY;
    for (let n = 61; n <= 70; n += 1) log.emit(seen(n));
    expect(names()).toHaveLength(2);
  });

  test('counts a repetition and says it with the next different event', async () => {
    const log = open();
    log.emit(seen(1, { because: 'first' }));
    for (let n = 0; n < 4; n += 1) log.emit(seen(1, { because: `again ${n}` }));
    expect(log.nextSeq()).toBe(2);
    log.emit(seen(1, { flow: 'other' }));
    log.emit(seen(2));
    const events = await log.tail(3);
    expect(events.map((event) => event.repeated)).toEqual([undefined, 4, undefined]);
    expect(chainFromFiles().whole).toBe(true);
  });

  test('takes secrets out before anything is written, and cuts what is too long', async () => {
    const log = open({ scrub: (text) => text.replaceAll('hunter2', '[redacted]') });
    log.emit(seen(1, { message: 'it said hunter2', because: 'of https://kim:s3cret@git.example/' }));
    log.emit(seen(2, { message: '\u0000'.repeat(100_000), because: '"'.repeat(100_000) }));
    expect(fs.readFileSync(at('events.jsonl'), 'utf8')).not.toMatch(/hunter2|s3cret/);
    expect(Math.max(...rawLines().map((line) => line.length))).toBeLessThan(64 * 1024);
    expect(await log.verify()).toMatchObject({ kind: 'intact', events: 2 });
  });

  test('begins with 1 and another log_id in a new state directory', () => {
    const one = open();
    one.emit(seen(1));
    const other = open({ directory: path.join(directory, 'other') });
    expect(other.logId).not.toBe(one.logId);
    expect(other.nextSeq()).toBe(1);
  });

  test('shows what is appended to those who follow, and ends with the signal', async () => {
    const log = open();
    for (let n = 1; n <= 150; n += 1) log.emit(seen(n));
    const stop = new AbortController();
    const got: number[] = [];
    const following = (async () => {
      for await (const event of log.follow(1, stop.signal)) {
        got.push(event.seq);
        if (event.seq === 155) stop.abort();
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let n = 151; n <= 155; n += 1) log.emit(seen(n));
    await following;
    expect(got).toEqual(Array.from({ length: 155 }, (_, i) => i + 1));
  });

  test('tells whoever listens only what is on disk, each once, in order', async () => {
    const told: number[] = [];
    const log = open({ onAppend: (event) => told.push(event.seq) });
    for (let n = 1; n <= 1_000; n += 1) log.emit(seen(n));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(told).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
  });

  test('prints how fast ten thousand events are', () => {
    const log = open();
    const started = performance.now();
    for (let n = 1; n <= 10_000; n += 1) log.emit(seen(n));
    log.flush();
    const ms = performance.now() - started;
    console.log(`10,000 events: ${ms.toFixed(0)} ms, ${((ms * 1_000) / 10_000).toFixed(1)} µs each`);
    expect(log.nextSeq()).toBe(10_001);
  });
});

describe('after a crash', () => {
  test('an unfinished last line is cut off, kept aside and said', async () => {
    const log = open();
    for (let n = 1; n <= 3; n += 1) log.emit(seen(n));
    log.close();
    fs.appendFileSync(at('events.jsonl'), '{"log_id":"half a li');
    const again = open();
    expect(fs.readFileSync(at('events.torn'), 'utf8')).toBe('{"log_id":"half a li');
    again.emit(seen(4));
    expect((await again.read(1, 9)).map((event) => event.reason)).toEqual([
      'RevisionSeen',
      'RevisionSeen',
      'RevisionSeen',
      'StateRecovered',
      'RevisionSeen',
    ]);
    expect(chainFromFiles().whole).toBe(true);
  });

  test('the chain holds wherever in the last line the crash came', () => {
    const log = open();
    for (let n = 1; n <= 3; n += 1) log.emit(seen(n));
    log.close();
    const bytes = fs.readFileSync(at('events.jsonl'));
    const lastLine = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    fc.assert(
      fc.property(fc.integer({ min: lastLine, max: bytes.length }), (length) => {
        fs.writeFileSync(at('events.jsonl'), bytes.subarray(0, length));
        const again = open();
        again.emit(seen(9));
        again.close();
        const { events, whole } = chainFromFiles();
        expect(whole).toBe(true);
        expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
        expect(events.length).toBe(length === bytes.length ? 4 : length === lastLine ? 3 : 4);
      }),
      { numRuns: 30 },
    );
  });

  test('zeros where the last line was are cut off like half a line', () => {
    const log = open();
    log.emit(seen(1));
    log.close();
    fs.appendFileSync(at('events.jsonl'), Buffer.concat([Buffer.alloc(300), Buffer.from('\n')]));
    open().emit(seen(2));
    expect(chainFromFiles()).toMatchObject({ whole: true });
  });

  test('a rotation that stopped before the new file was made loses nothing', async () => {
    const log = open();
    for (let n = 1; n <= 3; n += 1) log.emit(seen(n));
    log.close();
    fs.renameSync(at('events.jsonl'), at('events.1.jsonl'));
    const again = open();
    expect(again.nextSeq()).toBe(4);
    again.emit(seen(4));
    expect((await again.read(1, 9)).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
    expect(await again.verify()).toMatchObject({ kind: 'intact', events: 4 });
  });
});

describe('tampering', () => {
  const write = (count: number) => {
    const log = open({ maxBytes: 3_000, maxFiles: 50 });
    for (let n = 1; n <= count; n += 1) log.emit(seen(n));
    log.close();
  };

  test('of one byte anywhere is found by verify, with the file and the line', async () => {
    write(30);
    const files = names();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, where, flip) => {
          const bytes = fs.readFileSync(at(name));
          const changed = Buffer.from(bytes);
          // The last line of all shows only to who remembers it.
          const limit = name === 'events.jsonl' ? bytes.lastIndexOf(0x0a, bytes.length - 2) : bytes.length;
          const offset = where % limit;
          changed[offset] = changed[offset]! ^ flip;
          fs.writeFileSync(at(name), changed);
          const verdict = await verifyEventLog(directory);
          fs.writeFileSync(at(name), bytes);
          expect(verdict.kind).toBe('broken');
        },
      ),
      { numRuns: 60 },
    );
    expect(await verifyEventLog(directory)).toMatchObject({ kind: 'intact', events: 30 });
  });

  test('that removes or moves a line names the line', async () => {
    write(6);
    const lines = rawLines();
    fs.writeFileSync(at('events.jsonl'), `${[...lines.slice(0, 2), ...lines.slice(3)].join('\n')}\n`);
    expect(await verifyEventLog(directory)).toMatchObject({
      kind: 'broken',
      file: at('events.jsonl'),
      line: 3,
      message: expect.stringMatching(/expected seq 3, found 4/),
    });
  });

  test('of the last line, or a cut-off end, is found against what the writer remembers', async () => {
    const log = open();
    for (let n = 1; n <= 3; n += 1) log.emit(seen(n));
    const text = fs.readFileSync(at('events.jsonl'), 'utf8');
    fs.writeFileSync(at('events.jsonl'), text.replace('Revision 3', 'Revision X'));
    expect(await log.verify()).toMatchObject({ kind: 'broken', line: 3 });
    fs.writeFileSync(at('events.jsonl'), `${text.split('\n').slice(0, 2).join('\n')}\n`);
    expect(await log.verify()).toMatchObject({ kind: 'broken' });
    fs.writeFileSync(at('events.jsonl'), text);
    expect(await log.verify()).toMatchObject({ kind: 'intact' });
  });

  test('in the middle is said at the next start, and new events go on', async () => {
    write(6);
    fs.writeFileSync(
      at('events.jsonl'),
      fs.readFileSync(at('events.jsonl'), 'utf8').replace('Revision 4', 'Revision X'),
    );
    const log = open();
    const [note] = await log.tail(1);
    expect(note).toMatchObject({ reason: 'DriftDetected', severity: 'error', seq: 7 });
    expect(note!.message).toMatch(/events\.jsonl:5/);
    expect(await log.verify()).toMatchObject({ kind: 'broken', line: 5 });
  });

  test('that takes away remembered events begins a new log instead of giving their numbers again', async () => {
    const memory = new Map<string, unknown>();
    const documents = {
      read: (key: string) => memory.get(key) ?? null,
      write: (key: string, value: unknown) => void memory.set(key, value),
    };
    const first = open({ documents });
    for (let n = 1; n <= 5; n += 1) first.emit(seen(n));
    first.close();
    fs.writeFileSync(at('events.jsonl'), `${rawLines().slice(0, 3).join('\n')}\n`);
    const second = open({ documents });
    expect(second.logId).not.toBe(first.logId);
    second.emit(seen(1));
    expect(await second.read(1, 9)).toMatchObject([{ seq: 1, reason: 'DriftDetected' }, { seq: 2 }]);
    expect(await second.verify()).toMatchObject({ kind: 'intact', events: 5 });
    second.close();
    fs.rmSync(at('events.jsonl'));
    fs.rmSync(at('events.1.jsonl'));
    const third = open({ documents });
    expect(third.logId).not.toBe(second.logId);
    expect(await third.tail(1)).toMatchObject([{ reason: 'DriftDetected', seq: 1 }]);
  });
});

/** A small file system of our own, where this account may mount one. */
const mounted = await smallDisk();
describe.skipIf(mounted === null)('on a full disk', () => {
  test('emit does not throw, nothing half is written, and what waited is written in order when there is room', async () => {
    const disk = mounted!.directory;
    try {
      const notes = recordingLog();
      const log = open({ directory: path.join(disk, 'state'), log: notes });
      log.emit(seen(1));
      fs.writeFileSync(path.join(disk, 'ballast'), '');
      const ballast = fs.openSync(path.join(disk, 'ballast'), 'w');
      try {
        for (;;) fs.writeSync(ballast, Buffer.alloc(4_096));
      } catch {
        fs.closeSync(ballast);
      }
      for (let n = 2; n <= 1_200; n += 1) log.emit(seen(n));
      expect(notes.lines.filter((line) => line.level === 'error')).toHaveLength(1);
      expect(await verifyEventLog(path.join(disk, 'state'))).toMatchObject({ kind: 'intact' });
      const kept = log.nextSeq() - 1;
      fs.rmSync(path.join(disk, 'ballast'));
      log.flush();
      const events = await log.read(1, 2_000);
      expect(events.slice(0, 500).map((event) => event.message)).toEqual(
        Array.from({ length: 500 }, (_, i) => `Revision ${i + 1}`),
      );
      expect(events.at(-1)!.reason).toBe('EventsDropped');
      expect(events.at(-1)!.message).toMatch(new RegExp(`^${1_200 - 1_000 - kept} events were not written`));
      expect(await log.verify()).toMatchObject({ kind: 'intact' });
    } finally {
      for (const log of opened.splice(0)) log.close();
      mounted!.unmount();
    }
  });
});

async function smallDisk(): Promise<{ directory: string; unmount: () => void } | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  const { execFileSync } = await import('node:child_process');
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place], { stdio: 'ignore' });
  } catch {
    fs.rmdirSync(place);
    return null;
  }
  return {
    directory: place,
    unmount() {
      execFileSync('umount', [place]);
      fs.rmdirSync(place);
    },
  };
}
