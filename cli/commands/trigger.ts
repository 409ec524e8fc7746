import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { accountName } from '../../agent/effective-settings.ts';
import type { AgentOperations, OperationInput } from '../../agent/operations.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { withOperations } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type Globals, globalsOf } from '../globals.ts';
import { renderRunReport } from '../render/run.ts';

type JsonValue = OperationInput<'trigger'>['input'];

interface Options {
  input?: string;
  inputFile?: string;
  flowVersion?: string;
  timeout?: string;
  wait?: boolean;
}

export function addTrigger(program: Command): void {
  program
    .command('trigger <flow>')
    .description('run a flow now')
    .option('--input <json>', 'input of the flow, as JSON')
    .option('--input-file <path>', 'input of the flow, from a file')
    .option('--flow-version <version>', 'the active or the previous version; default: the active one')
    .option('--timeout <duration>', 'instead of the flow’s own, such as 90s')
    .option('--wait', 'wait for the result and print it (exit 6 when the run did not succeed)')
    .action(async (flow: string, options: Options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      const request = {
        flow,
        version: options.flowVersion ?? null,
        input: await inputOf(options),
        timeout_ms: timeoutOf(options.timeout),
        by: accountName(),
      };
      await withOperations(globals, 'trigger', async (operations, peer) => {
        const { run_id } = await operations.trigger(request, signal);
        // without a daemon this process does the run, so it has to stay until the end
        if (options.wait !== true && peer !== null) {
          terminal.document({ run_id });
          terminal.line(`Queued as ${run_id}. Follow it: edge-agent logs ${run_id} --follow`);
          return;
        }
        terminal.progress(`running ${flow} (run ${run_id}) …`);
        const report = await resultOf(operations, run_id, peer !== null, globals);
        terminal.clearProgress();
        terminal.document(report);
        renderRunReport(report, terminal);
        if (report.status === 'succeeded') return;
        process.exitCode = signal.aborted
          ? EXIT.interrupted
          : options.wait === true
            ? EXIT.runFailed
            : EXIT.done;
        terminal.note(
          `edge-agent: the run ${report.status}: ${report.reason ?? `exit code ${report.exit_code}`}`,
        );
      });
    });
}

/** Ctrl-C ends a run that this process does; one that a daemon does goes on. */
async function resultOf(
  operations: AgentOperations,
  runId: string,
  byDaemon: boolean,
  { signal, terminal }: Globals,
) {
  if (byDaemon) {
    try {
      return await operations.result({ run_id: runId }, signal);
    } catch (error) {
      if (signal.aborted) {
        const advice = `edge-agent logs ${runId} --follow, or edge-agent cancel ${runId}`;
        terminal.note(`\nedge-agent: the run goes on: ${advice}`);
      }
      throw error;
    }
  }
  const cancel = () => void operations.cancel({ run_id: runId }, signal).catch(() => undefined);
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const report = await operations.result({ run_id: runId }, signal);
  signal.removeEventListener('abort', cancel);
  return report;
}

async function inputOf(options: Options): Promise<JsonValue> {
  if (options.input !== undefined && options.inputFile !== undefined) {
    throw new CommandFailure('usage', 'expected --input or --input-file, found both', EXIT.usage);
  }
  if (options.input === undefined && options.inputFile === undefined) return {};
  const name = options.inputFile ?? '--input';
  try {
    return JSON.parse(options.input ?? (await readFile(options.inputFile as string, 'utf8'))) as JsonValue;
  } catch (error) {
    const message = `${name}: expected JSON, such as '{"month": "2026-11"}': ${(error as Error).message}`;
    throw new CommandFailure('usage', message, EXIT.usage);
  }
}

function timeoutOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  throw new CommandFailure(
    'usage',
    `--timeout: expected a duration such as 90s, found "${text}"`,
    EXIT.usage,
  );
}
