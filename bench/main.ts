// What the agent costs, beside what a user would use instead. Nothing here is a test: the figures depend on the machine.
//
//   npm run bench                      all of it, with the built program (built first)
//   npm run bench -- 2 3               these only
//   npm run bench -- 4 --full          ten minutes of idling instead of one
//   npm run bench -- --rounds 3        fewer rounds; --json one document on standard output; --no-build takes dist/ as it is
import '../test/support/hermetic.ts';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchCase } from './case.ts';
import { consoleAtScale } from './cases/console.ts';
import { fleet } from './cases/fleet.ts';
import { idle } from './cases/idle.ts';
import { largeBundleApplied } from './cases/large-bundle.ts';
import { longHistory } from './cases/long-history.ts';
import { manyFlows } from './cases/many-flows.ts';
import { noChange } from './cases/no-change.ts';
import { nudge } from './cases/nudge.ts';
import { runOutput } from './cases/run-output.ts';
import { start } from './cases/start.ts';
import { triggers } from './cases/triggers.ts';
import { type CaseReport, MIB, ratioOf, renderCase } from './report.ts';

const CASES: readonly BenchCase[] = [
  noChange,
  largeBundleApplied,
  manyFlows,
  idle,
  start,
  longHistory,
  nudge,
  triggers,
  fleet,
  runOutput,
  consoleAtScale,
];
const IDLE_S = 60;
const IDLE_FULL_S = 600;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    build: { type: 'boolean', default: true },
    rounds: { type: 'string' },
    idle: { type: 'string' },
  },
  allowNegative: true,
});
const say = (text: string) => void process.stderr.write(`${text}\n`);

if (process.platform !== 'linux') {
  say('expected Linux: memory and bytes written are read from /proc');
  process.exit(2);
}
const wrong = positionals.filter((word) => !CASES.some(({ number }) => String(number) === word));
if (wrong.length > 0) {
  say(`expected numbers from 1 to ${CASES.length}, found ${wrong.join(' ')}`);
  for (const { number, title } of CASES) say(`  ${number}  ${title}`);
  process.exit(2);
}
if (values.build) {
  const built = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('../scripts/build.ts', import.meta.url))],
    {
      stdio: ['ignore', 2, 2],
    },
  );
  if (built.status !== 0) process.exit(1);
}

// Everything lies below one folder, which goes in the end however a case ends. TMPDIR chooses the disk that is measured.
const folder = mkdtempSync(join(tmpdir(), 'edge-bench-'));
process.env['TMPDIR'] = folder;
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const TMPFS = 0x01021994;
if (statfsSync(folder).type === TMPFS)
  say(`${folder} is in memory: what is made durable costs nothing here; set TMPDIR to a disk`);

const idleSeconds = values.idle === undefined ? (values.full ? IDLE_FULL_S : IDLE_S) : Number(values.idle);
const rounds = values.rounds === undefined ? null : Math.max(1, Number(values.rounds));
const machine = {
  date: new Date().toISOString(),
  processor: cpus()[0]?.model ?? 'unknown',
  processors: cpus().length,
  memory_bytes: totalmem(),
  kernel: release(),
  node: process.version,
  load: loadavg()[0] ?? 0,
};
const reports: CaseReport[] = [];
if (!values.json) {
  const memory = `${(machine.memory_bytes / MIB / 1_024).toFixed(0)} GiB`;
  console.log(
    `${machine.date.slice(0, 16)}Z · ${machine.processors} × ${machine.processor}, ${memory} · Linux ${machine.kernel} · Node ${machine.node} · load ${machine.load.toFixed(1)}\n`,
  );
}
for (const chosen of CASES) {
  if (positionals.length > 0 && !positionals.includes(String(chosen.number))) continue;
  const prefix = `[${chosen.number}] `;
  say(`${prefix}${chosen.title}`);
  const report = await chosen.measure({ rounds, idleSeconds, say: (text) => say(`${prefix}${text}`) });
  reports.push(report);
  if (!values.json) console.log(renderCase(report));
}
if (values.json) {
  const cases = reports.map(({ figures, ...rest }) => ({
    ...rest,
    figures: figures.map((figure) => ({ ...figure, ratio: ratioOf(figure) })),
  }));
  console.log(JSON.stringify({ machine: { ...machine, load_after: loadavg()[0] }, cases }, null, 2));
}
