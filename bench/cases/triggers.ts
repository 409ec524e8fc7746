import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { bundleFrom } from '../../test/support/bundles.ts';
import {
  type ConsoleWorld,
  createConsoleWorld,
  type EnrolledMachine,
} from '../../test/support/console-world.ts';
import { until } from '../../test/support/daemon.ts';
import { requirePart } from '../../test/support/parts.ts';
import { startRatholeServer, TOKEN } from '../../test/support/tunnel-servers.ts';
import type { BenchCase } from '../case.ts';
import { PROGRAM } from '../machine.ts';
import { medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import type { Figure } from '../report.ts';

const TRIGGERS = 200;
const BURST = 1_000;
/** Says when it began, in nanoseconds since 1970, by the clock of this machine. */
const SCRIPT = '#!/bin/sh\nexec date +%s%N\n';

/** From a signed command at the console to the first instruction of the flow. */
export const triggers: BenchCase = {
  number: 8,
  title: 'From a trigger to a process that runs',
  async measure({ rounds, say }) {
    const count = rounds === null ? TRIGGERS : rounds * 10;
    await using world = await createConsoleWorld({ main: PROGRAM, console: { limits: GENEROUS } });
    await releaseClock(world);
    const shell = await shellStarts(count);
    const overWss = await measureWebsocket(world, count, say);
    const overRathole = await measureRathole(world, count, say);
    const burst = await measureBurst(world, say);
    return {
      number: 8,
      title: triggers.title,
      instead:
        '`date +%s%N` started by a shell that waits for nobody; for the burst, `xargs -P 2` over 1,000 scripts',
      figures: [
        ...latencyFigures('over the WebSocket', overWss, shell),
        ...(overRathole === null ? [] : latencyFigures('over rathole', overRathole, shell)),
        ...burst,
      ],
      notes: [
        `${count} triggers one after the other, each a signed command given to the console (or to rathole's public port); the flow prints the time as its first act.`,
        'A run is verified, queued and on disk twice before its process starts, and the process begins in a folder and a process tree of its own.',
      ],
    };
  },
};

const GENEROUS = { agentBurst: 100_000, agentPerSecond: 10_000 };

async function releaseClock(world: ConsoleWorld): Promise<void> {
  const bundle = bundleFrom([{ name: 'clock.sh', content: SCRIPT, mode: 0o755 }]);
  const edge_url = await world.upload('clock.tar.gz', bundle);
  const { sha256 } = bundle;
  await world.release([
    { id: 'clock', version: 'v1', edge_url, sha256, runtime: 'subprocess', entrypoint: 'clock.sh' },
  ]);
}

/** Milliseconds from asking to the first act of the program, each. */
async function shellStarts(count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < Math.min(count, 100); index += 1) {
    const asked = Date.now();
    const child = spawn('/bin/sh', ['-c', 'exec date +%s%N'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    times.push(began({ stdout: text }) - asked);
  }
  return times;
}

function began({ stdout }: Pick<RunReport, 'stdout'>): number {
  return Number(BigInt(stdout.trim()) / 1_000n) / 1_000;
}

async function measureWebsocket(
  world: ConsoleWorld,
  count: number,
  say: (text: string) => void,
): Promise<number[]> {
  const machine = await world.enrol('websocket');
  const daemon = machine.start();
  try {
    await connected(machine);
    say(`${count} triggers over the WebSocket`);
    return await each(world, count, async (runId) => {
      await world.send(machine.agentId, { action: 'run', flow: 'clock', run_id: runId });
    });
  } finally {
    await daemon.stop();
  }
}

async function measureRathole(
  world: ConsoleWorld,
  count: number,
  say: (text: string) => void,
): Promise<number[] | null> {
  const binary = requirePart('rathole');
  if (binary === null) return null;
  const server = await startRatholeServer(binary, { transport: 'tls' });
  const machine = await world.enrol('rathole');
  const token_file = join(machine.folder, 'tunnel-token');
  await writeFile(token_file, TOKEN, { mode: 0o600 });
  await machine.adjust([
    [
      ['tunnel'],
      {
        kind: 'rathole',
        server: server.server,
        service: 'acme-lyon',
        token_file,
        transport: 'tls',
        ca_file: server.caFile,
        binary,
      },
    ],
  ]);
  const daemon = machine.start();
  try {
    await connected(machine);
    say(`${count} triggers over rathole`);
    return await each(world, count, async (runId) => {
      const jws = await world.sign(machine.agentId, { action: 'run', flow: 'clock', run_id: runId });
      const answer = await server.post(jws);
      if (answer?.status !== 202) throw new Error(`expected 202, found ${JSON.stringify(answer)}`);
    });
  } finally {
    await daemon.stop();
    await server.close();
  }
}

/** A thousand commands at once: none lost, none twice. */
async function measureBurst(world: ConsoleWorld, say: (text: string) => void): Promise<Figure[]> {
  const machine = await world.enrol('burst');
  const daemon = machine.start();
  const wanted = new Set<string>(Array.from({ length: BURST }, () => randomUUID()));
  const seen = new Map<string, number>();
  const stop = world.running.console.notices.notify.subscribe(({ report }) => {
    if (wanted.has(report.run_id)) seen.set(report.run_id, (seen.get(report.run_id) ?? 0) + 1);
  });
  try {
    await connected(machine);
    say(`${BURST} triggers at once`);
    const started = performance.now();
    const ids = [...wanted];
    while (ids.length > 0) {
      const some = ids.splice(0, 20);
      await Promise.all(
        some.map((id) => world.send(machine.agentId, { action: 'run', flow: 'clock', run_id: id })),
      );
    }
    await until('every result to arrive', () => seen.size === BURST, 600_000);
    const ms = performance.now() - started;
    const doubled = [...seen.values()].filter((times) => times > 1).length;
    const rows = await runsOf(machine);
    const shell = await runShell(`seq ${BURST} | xargs -P 2 -I{} /bin/sh -c 'date +%s%N > /dev/null'`);
    return [
      {
        what: `${BURST} triggers at once: time to the last result`,
        unit: 'ms',
        agent: ms,
        instead: shell.ms,
        aim: null,
      },
      {
        what: 'the same: lost',
        unit: 'count',
        agent: BURST - rows,
        instead: null,
        aim: { kind: 'most', value: 0 },
      },
      {
        what: 'the same: doubled',
        unit: 'count',
        agent: doubled,
        instead: null,
        aim: { kind: 'most', value: 0 },
      },
    ];
  } finally {
    stop();
    await daemon.stop();
  }
}

async function runsOf(machine: EnrolledMachine): Promise<number> {
  const runs = await machine.json<{ state: string }[]>('runs', '--last', '5000');
  return runs.filter(({ state }) => state === 'succeeded').length;
}

/** Milliseconds from the call to the first act of the flow. */
async function each(
  world: ConsoleWorld,
  count: number,
  trigger: (runId: string) => Promise<void>,
): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const runId = randomUUID();
    const arrived = world.running.console.notices.notify.waitFor(
      ({ report }) => report.run_id === runId,
      AbortSignal.timeout(60_000),
    );
    const asked = Date.now();
    await trigger(runId);
    times.push(began((await arrived).report) - asked);
  }
  return times;
}

async function connected(machine: EnrolledMachine): Promise<void> {
  await until(
    'a connected tunnel and an active flow',
    async () => {
      const status = await machine.json<Status>('status').catch(() => null);
      return status?.tunnel.state === 'connected' && status.flows.some(({ phase }) => phase === 'active');
    },
    60_000,
  );
}

function latencyFigures(how: string, times: readonly number[], shell: readonly number[]): Figure[] {
  const figure = (what: string, of: (values: readonly number[]) => number): Figure => ({
    what: `${how}: ${what}`,
    unit: 'ms',
    agent: of(times),
    instead: of(shell),
    aim: null,
  });
  return [
    figure('median', (values) => medianOf(values, (ms) => ms)),
    figure(
      '99 of 100',
      (values) => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN,
    ),
  ];
}
