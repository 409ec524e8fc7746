import { type Command, InvalidArgumentError, Option } from 'commander';
import type { OutputChunk } from '../../agent/run-files.ts';
import { withObserver } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { globalsOf } from '../globals.ts';

/** `service-<flow>` stands for the processes of a service, which are no runs. */
const SERVICE = 'service-';

interface LogsOptions {
  readonly follow?: boolean;
  readonly stream?: 'stdout' | 'stderr';
  readonly attempt?: number;
  readonly offset?: number;
}

export function addLogs(program: Command): void {
  program
    .command('logs <run_id>')
    .description('show what a run printed')
    .option('-f, --follow', 'go on until the run ends')
    .addOption(new Option('--stream <name>', 'only one of the streams').choices(['stdout', 'stderr']))
    .option('--attempt <n>', 'begin with this attempt', wholeNumber(1))
    .option('--offset <bytes>', 'begin after so many bytes of it', wholeNumber(0))
    .action(async (runId: string, options: LogsOptions, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withObserver(globals, async (observer) => {
        const run = observer.run(runId);
        if (run === null) {
          const { follow = false, stream } = options;
          const which = { follow, ...(stream === undefined ? {} : { stream }) };
          const kept = runId.startsWith(SERVICE)
            ? observer.serviceOutput(runId.slice(SERVICE.length), which, signal)
            : null;
          if (kept !== null) return show(kept, runId, terminal.json);
          const message = `expected the id of a run, found "${runId}"; "edge-agent runs" lists them`;
          throw new CommandFailure('run_unknown', message, EXIT.usage);
        }
        const { follow = false, ...from } = options;
        if (terminal.json && !follow && Object.keys(from).length === 0) {
          const { stdout, stderr } = await observer.output(runId, run.attempt);
          return terminal.document({ run_id: runId, attempt: run.attempt, state: run.state, stdout, stderr });
        }
        // An offset is of one attempt: of the one under way, or the last, unless another one is named.
        const first = from.offset === undefined || run.attempt === 0 ? {} : { attempt: run.attempt };
        const shown = observer.followOutput(runId, { follow, from: { ...first, ...from } }, signal);
        await show(shown, runId, terminal.json);
      });
    });
}

async function show(chunks: AsyncIterable<OutputChunk>, runId: string, json: boolean): Promise<void> {
  for await (const { stream, attempt, offset, data } of chunks) {
    if (json) {
      const line = { run_id: runId, attempt, stream, offset, data: Buffer.from(data).toString('base64') };
      process.stdout.write(`${JSON.stringify(line)}\n`);
    } else (stream === 'stdout' ? process.stdout : process.stderr).write(data);
  }
}

function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number of ${least} or more.`);
  };
}
