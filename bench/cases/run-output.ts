import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Status } from '../../schemas/status.ts';
import { bundleFrom } from '../../test/support/bundles.ts';
import { createConsoleWorld } from '../../test/support/console-world.ts';
import { until } from '../../test/support/daemon.ts';
import type { BenchCase } from '../case.ts';
import { PROGRAM } from '../machine.ts';
import { interleave, medianOf } from '../measure/rounds.ts';
import { runShell } from '../measure/run.ts';
import { MIB } from '../report.ts';

const OUTPUT_MIB = 50;
const MAKE = `head -c ${OUTPUT_MIB * MIB} /dev/zero | tr '\\\\0' 'x' | fold -w 120`;

/** What a flow prints, on its way to the disk and to the console, beside `cat`. */
export const runOutput: BenchCase = {
  number: 10,
  title: `${OUTPUT_MIB} MiB of output`,
  async measure({ rounds, say }) {
    await using world = await createConsoleWorld({ main: PROGRAM });
    const { notices } = world.running.console;
    const script = `#!/bin/sh\n${MAKE.replaceAll('\\\\', '\\')}\n`;
    const bundle = bundleFrom([{ name: 'print.sh', content: script, mode: 0o755 }]);
    const edge_url = await world.upload('print.tar.gz', bundle);
    const { sha256 } = bundle;
    await world.release([
      { id: 'print', version: 'v1', edge_url, sha256, runtime: 'subprocess', entrypoint: 'print.sh' },
    ]);
    const machine = await world.enrol('printing');
    await machine.adjust([[['runs', 'max_output'], `${OUTPUT_MIB * 2}MiB`]]);
    const daemon = machine.start();
    try {
      await until(
        'a connected tunnel and an active flow',
        async () => {
          const status = await machine.json<Status>('status').catch(() => null);
          return status?.tunnel.state === 'connected' && status.flows.some(({ phase }) => phase === 'active');
        },
        60_000,
      );
      say('runs and `cat`, in turn');
      const printed = OUTPUT_MIB * MIB + Math.ceil((OUTPUT_MIB * MIB) / 120) - 1;
      const results = await interleave<'agent' | 'instead', { run: number; shown: number }>(rounds ?? 5, {
        async agent() {
          const runId = randomUUID();
          let last = 0;
          const shown = Promise.withResolvers<number>();
          const stop = notices.log.subscribe((notice) => {
            if (notice.run_id !== runId || notice.stream !== 'stdout') return;
            last = notice.next;
            if (last >= printed) shown.resolve(performance.now());
          });
          const finished = notices.run.waitFor(
            (notice) => notice.run_id === runId && notice.state !== 'running',
            AbortSignal.timeout(120_000),
          );
          const started = performance.now();
          await world.send(machine.agentId, { action: 'run', flow: 'print', run_id: runId });
          await finished;
          const run = performance.now() - started;
          const late = setTimeout(
            () => shown.reject(new Error(`expected ${printed} bytes, found ${last}`)),
            120_000,
          );
          const at = await shown.promise;
          clearTimeout(late);
          stop();
          return { run, shown: at - started };
        },
        async instead() {
          const { ms } = await runShell(`${MAKE} | cat > ${join(world.folder, 'printed.txt')}`);
          return { run: ms, shown: ms };
        },
      });
      const instead = medianOf(results.instead, ({ run }) => run);
      return {
        number: 10,
        title: runOutput.title,
        instead: `\`${MAKE} | cat > file\``,
        figures: [
          {
            what: 'from the command to the end of the run, output searched for secrets and on disk',
            unit: 'ms',
            agent: medianOf(results.agent, ({ run }) => run),
            instead,
            aim: null,
          },
          {
            what: 'to the last byte on the console’s disk',
            unit: 'ms',
            agent: medianOf(results.agent, ({ shown }) => shown),
            instead,
            aim: null,
          },
        ],
        notes: [
          'Every byte goes through redaction, is written below the run’s folder, and goes in pieces of 64 KiB through the WebSocket as base64.',
        ],
      };
    } finally {
      await daemon.stop();
    }
  },
};
