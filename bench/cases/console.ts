import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import type { Status } from '../../schemas/status.ts';
import type { BenchCase } from '../case.ts';
import { type LineProcess, startLineProcess } from '../measure/line-process.ts';
import type { Figure } from '../report.ts';

const AGENTS = Number(process.env['EDGE_BENCH_AGENTS'] ?? 10_000);
const CONNECTIONS = 32;
const TUNNELS = 200;
const FRAMES = 20;
const ASKED = 60;
/** Of all agents, after the first: the median of an odd number. */
const ROUNDS = 3;

interface Load {
  readonly count: number;
  readonly wrong: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p95: number;
}
interface Usage {
  readonly rss: number;
  readonly cpuMs: number;
}
interface Answers {
  readonly p50: number;
  readonly p95: number;
  readonly bytes: number;
}

/** What the overview of ten thousand agents costs, and what their reports do. */
export const consoleAtScale: BenchCase = {
  number: 11,
  title: `${AGENTS} agents report to one console, and somebody looks`,
  async measure({ say, rounds }) {
    const folder = mkdtempSync(join(tmpdir(), 'console-'));
    const asked = rounds === null ? ASKED : rounds * 10;
    try {
      const home = join(folder, 'console');
      const keys = join(home, 'keys.json');
      say(`${AGENTS} agents are enrolled`);
      const ours = await measureConsole(home, keys, asked, say);
      const plain = await measurePlain(home, keys, asked, say);
      return {
        number: 11,
        title: consoleAtScale.title,
        instead:
          'fastify and one row of SQLite an agent, durable before the answer; whoever looks loads all statuses and filters them, as Argo CD’s page does',
        figures: figuresOf(ours, plain),
        notes: [
          `A status is ${(ours.bodyBytes / 1_024).toFixed(1)} KiB, five flows; one agent in fifty is stalled. ${CONNECTIONS} connections, kept alive; tokens are signed beforehand, verified and taken once by the console.`,
          `All agents report ${ROUNDS} times after the first: the time is the median, the CPU that of all. The load is a process of its own: it and the console share the two processors. "A first report" also writes the agent's first summary, flows and history.`,
          `Over HTTP on loopback, ${asked} times each, one after the other. "While they report": the same, under as much load as the console takes.`,
          `Statuses through ${TUNNELS} tunnels, ${FRAMES} each, the next one when the one before is acknowledged.`,
        ],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const order = (round: number, agents = AGENTS) => JSON.stringify({ agents, round, connections: CONNECTIONS });

async function measureConsole(home: string, keys: string, asked: number, say: (text: string) => void) {
  const server = startLineProcess('fleet-console.ts', [home, String(AGENTS)], profileOptions());
  let load: LineProcess | undefined;
  try {
    const { url, apiKey } = await server.ask<{ url: string; apiKey: string }>();
    load = startLineProcess('status-load.ts', [url, keys]);
    const empty = await server.ask<Usage>('');
    say('they report for the first time');
    const first = await load.ask<Load & { bytes: number }>(order(0));
    say(`and again, ${ROUNDS} times`);
    const { again, cpuMs } = await reportAgain(server, load);
    const ask = asker(url, apiKey);
    say('somebody looks');
    const looks = {
      overview: await ask('/api/overview', asked),
      list: await ask('/api/agents?limit=100', asked),
      word: await ask('/api/agents?limit=100&q=pc-7777', asked),
      words: await ask('/api/agents?limit=100&q=arch_mismatch%20lyon', asked),
      stalled: await ask('/api/agents?limit=100&state=stalled&label=ring:canary', asked),
      deep: await ask('/api/agents?limit=100&offset=9900&sort=hostname', asked),
      flows: await ask('/api/flows', asked),
      releases: await ask('/api/releases', asked),
    };
    say('and looks while they report');
    const reporting = load.ask<Load>(order(ROUNDS + 1));
    const busy = {
      overview: await ask('/api/overview', asked),
      word: await ask('/api/agents?limit=100&q=pc-7777', asked),
    };
    await reporting;
    say(`${TUNNELS} tunnels`);
    const tunnels = await load.ask<Load>(
      JSON.stringify({ tunnels: TUNNELS, frames: FRAMES, round: ROUNDS + 2 }),
    );
    const full = await server.ask<Usage>('');
    await ask.close();
    expectTaken(first, tunnels);
    return {
      empty,
      first,
      again,
      cpuMs,
      looks,
      busy,
      tunnels,
      full,
      bodyBytes: first.bytes,
    };
  } finally {
    await load?.end();
    await server.end();
  }
}

/** The round of the median time; processor time of the server a report, in milliseconds, over all rounds. */
async function reportAgain(server: LineProcess, load: LineProcess): Promise<{ again: Load; cpuMs: number }> {
  const before = await server.ask<Usage>('');
  const loads: Load[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) loads.push(await load.ask<Load>(order(round)));
  const after = await server.ask<Usage>('');
  expectTaken(...loads);
  const reports = loads.reduce((sum, { count }) => sum + count, 0);
  const again = loads.toSorted((a, b) => a.seconds - b.seconds)[(ROUNDS - 1) / 2] as Load;
  return { again, cpuMs: (after.cpuMs - before.cpuMs) / reports };
}

async function measurePlain(home: string, keys: string, asked: number, say: (text: string) => void) {
  const server = startLineProcess('status-table-server.ts', [home, String(AGENTS)]);
  let load: LineProcess | undefined;
  try {
    const { url } = await server.ask<{ url: string }>();
    load = startLineProcess('status-load.ts', [url, keys]);
    say('the same, to a plain table');
    const first = await load.ask<Load>(order(0));
    const { again, cpuMs } = await reportAgain(server, load);
    expectTaken(first);
    const overview = (all: Status[]) => Map.groupBy(all, ({ conditions }) => conditions[0]?.reason ?? '');
    const word = (all: Status[]) => all.filter((status) => JSON.stringify(status).includes('agent-7777'));
    const times = Math.max(5, Math.round(asked / 6));
    const looks = { overview: await loadAll(url, times, overview), word: await loadAll(url, times, word) };
    const full = await server.ask<Usage>('');
    return { first, again, cpuMs, looks, full };
  } finally {
    await load?.end();
    await server.end();
  }
}

/** `EDGE_BENCH_PROFILE=<folder>` leaves a profile of the console's processor time there. */
function profileOptions(): string[] {
  const folder = process.env['EDGE_BENCH_PROFILE'];
  return ['--expose-gc', ...(folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`])];
}

function expectTaken(...loads: readonly Load[]): void {
  const wrong = loads.reduce((sum, load) => sum + load.wrong, 0);
  if (wrong > 0) throw new Error(`expected every report to be taken, found ${wrong} refused`);
}

function quantiles(tookMs: number[]): { p50: number; p95: number } {
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95) };
}

function asker(url: string, apiKey: string) {
  const pool = new Pool(url, { connections: 1 });
  const ask = async (path: string, times: number): Promise<Answers> => {
    const tookMs: number[] = [];
    let bytes = 0;
    for (let count = 0; count < times; count += 1) {
      const began = performance.now();
      const { statusCode, body } = await pool.request({
        method: 'GET',
        path,
        headers: { 'x-api-key': apiKey },
      });
      const text = await body.text();
      if (statusCode !== 200)
        throw new Error(`GET ${path}: expected 200, found ${statusCode}: ${text.slice(0, 300)}`);
      tookMs.push(performance.now() - began);
      bytes = Buffer.byteLength(text);
    }
    return { ...quantiles(tookMs), bytes };
  };
  return Object.assign(ask, { close: () => pool.close() });
}

/** As a page does that has it all: ask for everything, read it, look through it. */
async function loadAll(url: string, times: number, look: (all: Status[]) => unknown): Promise<Answers> {
  const tookMs: number[] = [];
  let bytes = 0;
  for (let count = 0; count < times; count += 1) {
    const began = performance.now();
    const text = await (await fetch(`${url}/statuses`)).text();
    look(JSON.parse(text) as Status[]);
    tookMs.push(performance.now() - began);
    bytes = Buffer.byteLength(text);
  }
  return { ...quantiles(tookMs), bytes };
}

type Ours = Awaited<ReturnType<typeof measureConsole>>;
type Plain = Awaited<ReturnType<typeof measurePlain>>;

function figuresOf(ours: Ours, plain: Plain): Figure[] {
  const ms = (what: string, agent: number, instead: number | null, most?: number): Figure => ({
    what,
    unit: 'ms',
    agent,
    instead,
    aim: most === undefined ? null : { kind: 'most', value: most },
  });
  const bytes = (what: string, agent: number, instead: number | null): Figure => ({
    what,
    unit: 'bytes',
    agent,
    instead,
    aim: null,
  });
  /** Reports a second, as the time of one: less is better, like everywhere else here. */
  const each = ({ seconds, count }: Load) => (seconds * 1_000) / count;
  const { looks, busy } = ours;
  return [
    ms('overview, p50', looks.overview.p50, plain.looks.overview.p50),
    ms('overview, p95', looks.overview.p95, plain.looks.overview.p95, 100),
    ms('search for one host, p95', looks.word.p95, plain.looks.word.p95, 200),
    ms('search of two words, p95', looks.words.p95, null, 200),
    ms('state and label, p95', looks.stalled.p95, null, 200),
    ms('first page of the list, p95', looks.list.p95, null, 200),
    ms('last page by host name, p95', looks.deep.p95, null, 200),
    ms('flows, p95', looks.flows.p95, null),
    ms('releases, p95', looks.releases.p95, null),
    ms('overview while they report, p95', busy.overview.p95, null),
    ms('search while they report, p95', busy.word.p95, null),
    bytes('overview: JSON', looks.overview.bytes, plain.looks.overview.bytes),
    bytes('a page of 100: JSON', looks.list.bytes, plain.looks.word.bytes),
    ms('a report, of all that come at once (1 ms is 1,000 a second)', each(ours.again), each(plain.again), 1),
    ms('the same, a first report', each(ours.first), each(plain.first)),
    ms('a report, p95 of 32 at a time', ours.again.p95, plain.again.p95),
    ms('CPU of the console a report', ours.cpuMs, plain.cpuMs),
    ms('a status through the tunnel, of all at once', each(ours.tunnels), null),
    bytes('memory of the process, before', ours.empty.rss, null),
    bytes('memory of the process, after', ours.full.rss, plain.full.rss),
  ];
}
