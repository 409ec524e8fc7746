import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRunFiles, createRunOutputReader } from '../../agent/run-files.ts';
import type { Clock, RunOutputReader } from '../../reconciler/ports.ts';
import { RunLog, type RunStarted } from '../../schemas/tunnel-frame.ts';
import { createRunLogFeed, type RunLogFeed } from '../../sinks/run-log-feed.ts';
import { createSystemClock } from '../../system/clock.ts';
import { recordingLink } from './recording-link.ts';

const KIB = 1024;
const WINDOW = 1_024 * KIB;

let folder: string;
let skewMs: number;
let reads: number;
let faults: unknown[];
/** The stream whose disk gives errors. */
let broken: string | null;
let feed: RunLogFeed;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-logs-'));
  [skewMs, reads, faults, broken] = [0, 0, [], null];
  const system = createSystemClock();
  const clock: Clock = { ...system, monotonicMs: () => system.monotonicMs() + skewMs };
  const files = createRunOutputReader(createRunFiles(folder, () => 64 * KIB * KIB));
  const output: RunOutputReader = {
    read(position, limit) {
      reads += 1;
      if (position.stream === broken) return Promise.reject(new Error('EIO: i/o error, read'));
      return files.read(position, limit);
    },
  };
  feed = createRunLogFeed({ output, clock, onFault: (error) => faults.push(error) });
});
afterEach(() => {
  feed.closed();
  rmSync(folder, { recursive: true, force: true });
});

const run = (run_id: string, attempt = 1): RunStarted => ({
  run_id,
  attempt,
  flow: 'invoice-bot',
  version: 'v1',
  at: '2026-11-20T15:00:00Z',
});

function print(run_id: string, text: string | Uint8Array, stream = 'stdout', attempt = 1): void {
  const file = join(folder, run_id, String(attempt), `${stream}.log`);
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, text);
}

/** A console that puts together what it gets, and acknowledges when it is told to. */
function listening(options: { acknowledge: boolean } = { acknowledge: true }) {
  const link = recordingLink();
  const got = new Map<string, Buffer>();
  const offsets = new Map<string, number[]>();
  const take = (frame: RunLog): number => {
    const key = `${frame.run_id}/${frame.attempt}/${frame.stream}`;
    const before = got.get(key) ?? Buffer.alloc(0);
    const data = Buffer.from(frame.data, 'base64');
    expect(data.length).toBeLessThanOrEqual(64 * KIB);
    expect(frame.offset).toBeLessThanOrEqual(before.length);
    const whole = Buffer.concat([before, data.subarray(before.length - frame.offset)]);
    got.set(key, whole);
    offsets.set(key, [...(offsets.get(key) ?? []), frame.offset]);
    return whole.length;
  };
  const send = (type: string, data: unknown, id?: string) => {
    const taken = link.send(type, data, id);
    if (!taken) return false;
    const frame = RunLog.parse(data);
    const offset = take(frame);
    const { run_id, attempt, stream } = frame;
    if (options.acknowledge) {
      setImmediate(() => feed.acknowledged({ run_id, attempt, stream, offset }));
    }
    return true;
  };
  return {
    send,
    got,
    offsets,
    roomFor: link.roomFor,
    text: (key: string) => got.get(key)?.toString('utf8') ?? '',
    bytes: (key: string) => got.get(key)?.length ?? 0,
  };
}

describe('what a run prints', () => {
  it('arrives while the run goes on, each stream by itself', async () => {
    const console = listening();
    feed.opened(console);
    feed.started(run('r-1'));
    print('r-1', 'first\n');
    await expect.poll(() => console.text('r-1/1/stdout')).toBe('first\n');
    print('r-1', 'a warning\n', 'stderr');
    print('r-1', 'second\n');
    await expect.poll(() => console.text('r-1/1/stdout')).toBe('first\nsecond\n');
    await expect.poll(() => console.text('r-1/1/stderr')).toBe('a warning\n');
    expect(console.offsets.get('r-1/1/stdout')).toEqual([0, 6]);
  });

  it('last, before its end, arrives too; then its files are looked at no more', async () => {
    const console = listening();
    feed.opened(console);
    feed.started(run('r-1'));
    print('r-1', 'before\n');
    await expect.poll(() => console.text('r-1/1/stdout')).toBe('before\n');
    print('r-1', 'the last word\n');
    feed.ended('r-1');
    await expect.poll(() => console.text('r-1/1/stdout')).toBe('before\nthe last word\n');
    await expect
      .poll(async () => {
        const before = reads;
        await new Promise((resolve) => setTimeout(resolve, 150));
        return reads - before;
      })
      .toBe(0);
  });

  it('in each attempt arrives under that attempt', async () => {
    const console = listening();
    feed.opened(console);
    feed.started(run('r-1', 1));
    print('r-1', 'failed');
    feed.started(run('r-1', 2));
    print('r-1', 'worked', 'stdout', 2);
    feed.ended('r-1');
    await expect.poll(() => [...console.got.keys()].sort()).toEqual(['r-1/1/stdout', 'r-1/2/stdout']);
    await expect.poll(() => console.text('r-1/2/stdout')).toBe('worked');
  });

  it('in one line of 50 MB arrives whole, byte for byte', async () => {
    const line = Buffer.alloc(50 * KIB * KIB, 'edgeflows ');
    print('r-1', line);
    feed.started(run('r-1'));
    feed.ended('r-1');
    // Putting 50 MB together chunk by chunk would be the slow part: only the length and the last bytes are compared.
    const chunks: number[] = [];
    let last = '';
    const counting = {
      send(_type: string, data: unknown) {
        const { run_id, attempt, stream, offset, data: text } = data as RunLog;
        expect(offset).toBe(chunks.reduce((sum, size) => sum + size, 0));
        const bytes = Buffer.from(text, 'base64');
        chunks.push(bytes.length);
        last = bytes.subarray(-10).toString();
        setImmediate(() => feed.acknowledged({ run_id, attempt, stream, offset: offset + bytes.length }));
        return true;
      },
    };
    feed.opened(counting);
    await expect
      .poll(() => chunks.reduce((sum, size) => sum + size, 0), { timeout: 20_000 })
      .toBe(line.length);
    expect(last).toBe(line.subarray(-10).toString());
  }, 180_000);

  it('is not looked for while there is no connection', async () => {
    feed.started(run('r-1'));
    print('r-1', 'x');
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(reads).toBe(0);
  });
});

describe('a console that is slow', () => {
  it('is sent no more of a stream than it may have unacknowledged', async () => {
    print('r-1', Buffer.alloc(WINDOW * 2, 'x'));
    const console = listening({ acknowledge: false });
    feed.opened(console);
    feed.started(run('r-1'));
    await expect.poll(() => console.bytes('r-1/1/stdout')).toBe(WINDOW);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(console.bytes('r-1/1/stdout')).toBe(WINDOW);
    feed.acknowledged({ run_id: 'r-1', attempt: 1, stream: 'stdout', offset: 100 * KIB });
    await expect.poll(() => console.bytes('r-1/1/stdout')).toBe(WINDOW + 100 * KIB);
  });

  it('holds up its own stream alone', async () => {
    print('r-1', Buffer.alloc(WINDOW * 2, 'x'));
    const console = listening({ acknowledge: false });
    feed.opened(console);
    feed.started(run('r-1'));
    feed.started(run('r-2'));
    await expect.poll(() => console.bytes('r-1/1/stdout')).toBe(WINDOW);
    print('r-2', 'hello');
    await expect.poll(() => console.text('r-2/1/stdout')).toBe('hello');
  });

  it('whose connection takes no more is sent the rest when it has drained', async () => {
    print('r-1', Buffer.alloc(3 * 64 * KIB, 'x'));
    const console = listening();
    console.roomFor(1);
    feed.opened(console);
    feed.started(run('r-1'));
    await expect.poll(() => console.bytes('r-1/1/stdout')).toBe(64 * KIB);
    console.roomFor(100);
    feed.drained();
    await expect.poll(() => console.bytes('r-1/1/stdout')).toBe(3 * 64 * KIB);
  });

  it('that threw a chunk away without a word is sent it again', async () => {
    print('r-1', 'hello');
    const console = listening({ acknowledge: false });
    feed.opened(console);
    feed.started(run('r-1'));
    await expect.poll(() => console.offsets.get('r-1/1/stdout')).toEqual([0]);
    skewMs = 5_001;
    await expect.poll(() => console.offsets.get('r-1/1/stdout')).toEqual([0, 0]);
  });

  it('that never takes the rest of a run is offered it for ten minutes', async () => {
    print('r-1', 'hello');
    feed.started(run('r-1'));
    feed.ended('r-1');
    feed.started(run('r-2'));
    skewMs = 10 * 60_000 + 1;
    print('r-2', 'hello');
    const console = listening();
    feed.opened(console);
    await expect.poll(() => console.text('r-2/1/stdout')).toBe('hello');
    expect([...console.got.keys()]).toEqual(['r-2/1/stdout']);
  });
});

describe('after a reconnect a stream', () => {
  it('goes on after what was acknowledged', async () => {
    print('r-1', 'one two three');
    const first = listening({ acknowledge: false });
    feed.opened(first);
    feed.started(run('r-1'));
    await expect.poll(() => first.bytes('r-1/1/stdout')).toBe(13);
    feed.acknowledged({ run_id: 'r-1', attempt: 1, stream: 'stdout', offset: 4 });
    feed.closed();
    print('r-1', ' four');
    const frames: RunLog[] = [];
    feed.opened({ send: (_type, data) => frames.push(RunLog.parse(data)) > 0 });
    await expect.poll(() => frames.map((frame) => frame.offset)).toEqual([4]);
    expect(Buffer.from(frames[0]?.data ?? '', 'base64').toString()).toBe('two three four');
  });

  it.each([
    ['forward, to what the console has already', 10, 'three'],
    ['back, to what the console has lost', 0, 'one two three'],
  ])('goes %s', async (_name, offset, rest) => {
    print('r-1', 'one two th');
    const first = listening();
    feed.opened(first);
    feed.started(run('r-1'));
    await expect.poll(() => first.bytes('r-1/1/stdout')).toBe(10);
    feed.closed();
    const frames: RunLog[] = [];
    feed.opened({ send: (_type, data) => frames.push(RunLog.parse(data)) > 0 });
    feed.acknowledged({ run_id: 'r-1', attempt: 1, stream: 'stdout', offset });
    print('r-1', 'ree');
    const text = () => frames.map((frame) => Buffer.from(frame.data, 'base64').toString()).join('');
    await expect.poll(text).toBe(rest.slice(offset === 10 ? 2 : 0));
    expect(frames[0]?.offset).toBe(offset);
  });

  it('is not confused by a console that sends nonsense', async () => {
    const console = listening();
    feed.opened(console);
    feed.started(run('r-1'));
    feed.acknowledged({ run_id: '../../etc', attempt: 1, stream: 'stdout', offset: 0 });
    feed.acknowledged({ run_id: 'r-1', attempt: 99, stream: 'stdout', offset: Number.MAX_SAFE_INTEGER });
    print('r-1', 'hello');
    await expect.poll(() => console.text('r-1/1/stdout')).toBe('hello');
    expect(faults).toEqual([]);
  });
});

describe('many runs', () => {
  it('are followed 64 streams at a time, the others after them', async () => {
    const console = listening();
    for (let index = 0; index < 40; index += 1) {
      print(`r-${index}`, 'hello');
      feed.started(run(`r-${index}`));
    }
    feed.opened(console);
    await expect.poll(() => console.got.size).toBe(32);
    for (let index = 0; index < 32; index += 1) feed.ended(`r-${index}`);
    await expect.poll(() => console.got.size).toBe(40);
  });

  it('of which one cannot be read lose that one', async () => {
    print('r-1', 'lost');
    print('r-1', 'still here', 'stderr');
    broken = 'stdout';
    const console = listening();
    feed.opened(console);
    feed.started(run('r-1'));
    await expect.poll(() => console.text('r-1/1/stderr')).toBe('still here');
    expect(faults).toHaveLength(1);
  });
});
