import type { RunDetail } from '../../schemas/console/run.ts';
import type { ConsoleState } from '../state.ts';
import { runFiles } from './run-files.ts';
import { runInputs } from './run-inputs.ts';
import { runSteps } from './run-steps.ts';

const OUTPUTS_MAX = 1_000;
const EVENTS_MAX = 500;
const TAIL_CHARACTERS = 64 * 1024;

/** All that is known of one run, put together; null when it is not in the list. `mayReadInputs`: whoever asks may operate its flow. */
export async function runDetail(
  state: ConsoleState,
  agentId: string,
  runId: string,
  { mayReadInputs }: { readonly mayReadInputs: boolean },
): Promise<RunDetail | null> {
  const run = await state.runs.get(agentId, runId);
  if (run === null) return null;
  const [report, events, command, cancels, progress, logs, uploads, commit, inputs] = await Promise.all([
    state.runFacts.report(agentId, runId, OUTPUTS_MAX),
    state.runFacts.events(agentId, runId, EVENTS_MAX),
    // One that came with the run_id of another's run is not what it began with.
    (run.trigger ?? 'command') === 'command' ? state.commands.forRun(agentId, runId) : null,
    state.commands.cancelsOf(agentId, runId),
    state.progress.get(agentId, runId),
    state.logs.list(agentId, runId),
    state.uploads.ofRun(agentId, runId),
    run.revision === null ? null : state.runFacts.commit(run.tenant, run.revision),
    runInputs(state, run, mayReadInputs),
  ]);
  const tail =
    report === null || logs.length > 0 ? null : await state.runFacts.tail(agentId, runId, TAIL_CHARACTERS);
  return {
    ...run,
    steps: runSteps({ run, command, cancels, progress, report, events }),
    commit,
    command:
      command === null
        ? null
        : {
            command_id: command.command_id,
            state: command.state,
            code: command.code,
            message: command.message,
          },
    inputs,
    logs: logs.map(({ attempt, stream, bytes }) => ({ attempt, stream, bytes })),
    truncated: report?.truncated ?? null,
    report_tail: tail,
    files:
      report === null ? [] : await runFiles(report.outputs, uploads, (upload) => state.uploads.open(upload)),
  };
}
