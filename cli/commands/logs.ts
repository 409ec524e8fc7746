import type { Command } from 'commander';
import { withObserver } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { globalsOf } from '../globals.ts';

export function addLogs(program: Command): void {
  program
    .command('logs <run_id>')
    .description('show what a run printed')
    .option('-f, --follow', 'go on until the run ends')
    .action(async (runId: string, options: { follow?: boolean }, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withObserver(globals, async (observer) => {
        const run = observer.run(runId);
        if (run === null) {
          const message = `expected the id of a run, found "${runId}"; "edge-agent runs" lists them`;
          throw new CommandFailure('run_unknown', message, EXIT.usage);
        }
        if (terminal.json && options.follow !== true) {
          const { stdout, stderr } = await observer.output(runId, run.attempt);
          return terminal.document({ run_id: runId, attempt: run.attempt, state: run.state, stdout, stderr });
        }
        for await (const { stream, attempt, offset, data } of observer.followOutput(
          runId,
          options.follow === true,
          signal,
        )) {
          if (terminal.json) {
            const line = {
              run_id: runId,
              attempt,
              stream,
              offset,
              data: Buffer.from(data).toString('base64'),
            };
            process.stdout.write(`${JSON.stringify(line)}\n`);
          } else (stream === 'stdout' ? process.stdout : process.stderr).write(data);
        }
      });
    });
}
