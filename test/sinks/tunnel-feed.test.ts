import { describe, expect, it } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import type { ConsoleHello, RunStarted } from '../../schemas/tunnel-frame.ts';
import { createTunnelFeed } from '../../sinks/tunnel-feed.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { recordingLink } from './recording-link.ts';

const HELLO: ConsoleHello = { session: 's-1', heartbeat_ms: 30_000, time: '2026-11-20T15:00:00Z' };
const AT = '2026-11-20T15:00:00Z';

function feedWithFaults() {
  const faults: unknown[] = [];
  const feed = createTunnelFeed({
    output: { read: async () => new Uint8Array() },
    clock: createSystemClock(),
    chance: createSystemChance(),
    onFault: (error) => faults.push(error),
  });
  return { feed, faults };
}

const started = (run_id: string): RunStarted => ({
  run_id,
  attempt: 1,
  flow: 'invoice-bot',
  version: 'v1',
  at: AT,
});

function report(run_id: string, changes: Partial<RunReport> = {}): RunReport {
  return {
    run_id,
    stdout: 'a secret of the customer',
    stderr: 'another',
    status: 'succeeded',
    attempt: 1,
    flow: 'invoice-bot',
    version: 'v1',
    sha256: null,
    revision: null,
    trigger: 'command',
    exit_code: 0,
    reason: null,
    started_at: AT,
    finished_at: AT,
    truncated: { stdout: 0, stderr: 0 },
    outputs: [],
    ...changes,
  };
}

const status = (generated_at: string) => () => ({ generated_at }) as Status;
const runFrames = (link: ReturnType<typeof recordingLink>) =>
  link.sent.filter((frame) => frame.type.startsWith('edgeflows.run.'));
const idsOf = (link: ReturnType<typeof recordingLink>) => runFrames(link).map((frame) => frame.id as string);

describe('runs', () => {
  it('are told as they begin and end, without what they printed', () => {
    const { feed } = feedWithFaults();
    const link = recordingLink();
    feed.opened(link, HELLO);
    feed.started(started('r-1'));
    feed.completed(report('r-1'));
    const { stdout: _stdout, stderr: _stderr, ...body } = report('r-1');
    expect(runFrames(link)).toMatchObject([
      { type: 'edgeflows.run.started', data: started('r-1') },
      { type: 'edgeflows.run.completed', data: body },
    ]);
    expect(JSON.stringify(link.sent)).not.toContain('secret');
    expect(new Set(idsOf(link)).size).toBe(2);
    feed.closed();
  });

  it('without a connection are told when there is one', () => {
    const { feed } = feedWithFaults();
    feed.started(started('r-1'));
    feed.completed(report('r-1'));
    const link = recordingLink();
    feed.opened(link, HELLO);
    expect(runFrames(link)).toHaveLength(2);
    feed.closed();
  });

  it('are told again under the same id after a reconnect, until they are acknowledged', () => {
    const { feed } = feedWithFaults();
    const first = recordingLink();
    feed.opened(first, HELLO);
    for (const id of ['r-1', 'r-2', 'r-3']) feed.started(started(id));
    const [, second] = idsOf(first) as [string, string, string];
    feed.acknowledged([second, 'an-id-of-nobody']);
    feed.closed();
    const again = recordingLink();
    feed.opened(again, HELLO);
    expect(idsOf(again)).toEqual(idsOf(first).filter((id) => id !== second));
    feed.acknowledged(idsOf(again));
    const last = recordingLink();
    feed.opened(last, HELLO);
    expect(runFrames(last)).toEqual([]);
    feed.closed();
  });

  it('are not sent while the link is full, and go on where they stopped when it has drained', () => {
    const { feed } = feedWithFaults();
    const link = recordingLink(2);
    feed.opened(link, HELLO);
    for (const id of ['r-1', 'r-2', 'r-3', 'r-4']) feed.started(started(id));
    expect(runFrames(link)).toHaveLength(2);
    link.roomFor(10);
    feed.drained();
    const told = runFrames(link).map((frame) => (frame.data as RunStarted).run_id);
    expect(told).toEqual(['r-1', 'r-2', 'r-3', 'r-4']);
    feed.closed();
  });

  it('are the newest thousand when nobody listens: memory has a bound, notify has the rest', () => {
    const { feed } = feedWithFaults();
    for (let run = 0; run < 1_500; run += 1) feed.started(started(`r-${run}`));
    const link = recordingLink();
    feed.opened(link, HELLO);
    const told = runFrames(link).map((frame) => (frame.data as RunStarted).run_id);
    expect(told).toHaveLength(1_000);
    expect([told[0], told.at(-1)]).toEqual(['r-500', 'r-1499']);
    feed.closed();
  });

  it('with thousands of outputs are told without the list: a frame has a bound too', () => {
    const { feed } = feedWithFaults();
    const outputs = Array.from({ length: 10_000 }, (_, index) => ({
      name: `screenshots/${index}.png`,
      size: 1,
      sha256: '0'.repeat(64),
    }));
    const link = recordingLink();
    feed.opened(link, HELLO);
    feed.completed(report('r-1', { outputs }));
    expect(runFrames(link)[0]?.data).toMatchObject({
      outputs: [],
      outputs_omitted: 10_000,
      status: 'succeeded',
    });
    feed.closed();
  });
});

describe('the status', () => {
  const statuses = (link: ReturnType<typeof recordingLink>) =>
    link.ofType('edgeflows.status').map((frame) => (frame.data as Status).generated_at);

  it('is sent on a change, once for a burst of them, as it is then', async () => {
    const { feed } = feedWithFaults();
    const link = recordingLink();
    feed.opened(link, HELLO);
    for (const at of ['1', '2', '3']) feed.statusChanged(status(at));
    expect(statuses(link)).toEqual([]);
    await expect.poll(() => statuses(link)).toEqual(['3']);
    feed.statusChanged(status('4'));
    await expect.poll(() => statuses(link)).toEqual(['3', '4']);
    feed.closed();
  });

  it('is sent once after a connection, however often it changed before', async () => {
    const { feed } = feedWithFaults();
    for (let change = 0; change < 100; change += 1) feed.statusChanged(status(String(change)));
    const link = recordingLink();
    feed.opened(link, HELLO);
    await expect.poll(() => statuses(link)).toEqual(['99']);
    feed.closed();
  });

  it('that found no room is sent when there is some, as it is then', async () => {
    const { feed } = feedWithFaults();
    const link = recordingLink(0);
    const asked: string[] = [];
    feed.opened(link, HELLO);
    feed.statusChanged(() => {
      asked.push('1');
      return status('1')();
    });
    await expect.poll(() => asked).toEqual(['1']);
    feed.statusChanged(status('2'));
    link.roomFor(1);
    feed.drained();
    expect(statuses(link)).toEqual(['2']);
    feed.closed();
  });

  it('that cannot be made is a fault of ours and stops nothing', async () => {
    const { feed, faults } = feedWithFaults();
    const link = recordingLink();
    feed.opened(link, HELLO);
    feed.statusChanged(() => {
      throw new Error('no status');
    });
    await expect.poll(() => faults).toHaveLength(1);
    feed.started(started('r-1'));
    expect(runFrames(link)).toHaveLength(1);
    feed.closed();
  });
});
