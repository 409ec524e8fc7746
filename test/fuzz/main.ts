import { createHash, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type Finding, runTarget, tryInput } from './campaign.ts';
import { TARGETS } from './targets.ts';

const FINDINGS = join(import.meta.dirname, '../../.cache/fuzz');
const USAGE = `npm run fuzz -- [target…] [--minutes N] [--seed S] [--file PATH]

  --minutes N   in all, shared by the targets (default 1; fractions too)
  --seed S      the same inputs again
  --file PATH   one input, to one target: shows whether it still breaks it

Targets: ${TARGETS.map(({ name }) => name).join(' ')}
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      file: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name));
  const minutes = Number(values.minutes ?? '1');
  const seed = Number(values.seed ?? randomInt(2 ** 31));
  const misused =
    unknown.length > 0 ||
    !(minutes > 0) ||
    !Number.isSafeInteger(seed) ||
    (values.file !== undefined && positionals.length !== 1);
  if (values.help === true || misused) {
    process.stderr.write(`${unknown.length > 0 ? `unknown target: ${unknown.join(', ')}\n` : ''}${USAGE}`);
    return values.help === true ? 0 : 2;
  }
  const targets =
    positionals.length === 0 ? TARGETS : TARGETS.filter(({ name }) => positionals.includes(name));
  if (values.file !== undefined) {
    const finding = await tryInput(targets[0] as (typeof TARGETS)[number], readFileSync(values.file));
    if (finding === null) process.stdout.write('nothing is wrong with it\n');
    else tell(finding, values.file);
    return finding === null ? 0 : 1;
  }

  process.stdout.write(`seed ${seed}, ${minutes} min, ${targets.length} targets\n`);
  let findings = 0;
  for (const target of targets) {
    const end = performance.now() + (minutes * 60_000) / targets.length;
    let shown = 0;
    const { inputs, finding } = await runTarget(target, {
      seed,
      until: () => performance.now() > end,
      onProgress(count) {
        if (!process.stdout.isTTY || performance.now() - shown < 500) return;
        shown = performance.now();
        process.stdout.write(`\r${target.name}: ${count} inputs`);
      },
    });
    process.stdout.write(
      `${process.stdout.isTTY ? '\r' : ''}${target.name}: ${inputs} inputs${finding === null ? '' : ', BROKEN'}\n`,
    );
    if (finding === null) continue;
    findings += 1;
    tell(finding, keep(finding));
  }
  process.stdout.write(
    findings === 0 ? 'nothing found\n' : `${findings} of ${targets.length} targets broken\n`,
  );
  return findings === 0 ? 0 : 1;
}

function keep({ target, input }: Finding): string {
  mkdirSync(FINDINGS, { recursive: true });
  const file = join(FINDINGS, `${target}-${createHash('sha256').update(input).digest('hex').slice(0, 8)}`);
  writeFileSync(file, input);
  return relative(process.cwd(), file);
}

function tell({ target, error }: Finding, file: string): void {
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stdout.write(
    `${words.split('\n').slice(0, 12).join('\n')}\n\nagain: npm run fuzz -- ${target} --file ${file}\n\n`,
  );
}

process.exitCode = await main();
