import { Command, CommanderError, Option } from 'commander';
import { AGENT_VERSION } from '../agent/version.ts';
import { addCancel } from './commands/cancel.ts';
import { addDiff } from './commands/diff.ts';
import { addEnroll } from './commands/enroll.ts';
import { addEvents } from './commands/events.ts';
import { addGc } from './commands/gc.ts';
import { addKeys } from './commands/keys.ts';
import { addLogs } from './commands/logs.ts';
import { addReconcile } from './commands/reconcile.ts';
import { addRelease } from './commands/release.ts';
import { addRetry } from './commands/retry.ts';
import { addRollback } from './commands/rollback.ts';
import { addRoot } from './commands/root.ts';
import { addRun } from './commands/run.ts';
import { addRuns } from './commands/runs.ts';
import { addStatus } from './commands/status.ts';
import { addResume, addSuspend } from './commands/suspend.ts';
import { addTrigger } from './commands/trigger.ts';
import { addValidate } from './commands/validate.ts';
import { addVerify } from './commands/verify.ts';
import { addVersion } from './commands/version.ts';
import { EXIT } from './exit-codes.ts';
import { tellFailure } from './failure.ts';
import { Interrupted, listenForSignals } from './globals.ts';
import { createTerminal } from './terminal.ts';

const COMMANDS = [
  addEnroll,
  addRun,
  addReconcile,
  addStatus,
  addEvents,
  addTrigger,
  addRuns,
  addLogs,
  addCancel,
  addDiff,
  addSuspend,
  addResume,
  addRollback,
  addRetry,
  addGc,
  addVerify,
  addValidate,
  addKeys,
  addRoot,
  addRelease,
  addVersion,
];

/** Parses the command line, runs the command and sets the exit code (contract, section 10). */
export async function runProgram(argv: readonly string[]): Promise<void> {
  const signal = listenForSignals();
  const json = wantsJson(argv);
  const terminal = createTerminal(json);
  const program = new Command('edge-agent')
    .description('Makes what the branch of a tenant says true on this machine, and keeps it so.')
    .version(AGENT_VERSION, '-V, --version')
    .option('-c, --config <path>', 'agent.yaml (default: ./agent.yaml, else the platform’s place)')
    .addOption(
      new Option('-o, --output <format>', 'what results look like').choices(['text', 'json']).default('text'),
    )
    .option('-v, --verbose', 'say more on standard error')
    .showSuggestionAfterError()
    .enablePositionalOptions(false);
  for (const add of COMMANDS) add(program);
  quiet(program, json);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = failureCode(error, signal, terminal);
  }
}

/** Every command throws instead of ending the process, and is silent on standard output when a document is asked for. */
function quiet(command: Command, json: boolean): void {
  command.exitOverride();
  command.configureOutput({
    writeErr: (text) => process.stderr.write(text),
    ...(json ? { outputError: () => {} } : {}),
  });
  for (const child of command.commands) quiet(child, json);
}

function failureCode(
  error: unknown,
  signal: AbortSignal,
  terminal: ReturnType<typeof createTerminal>,
): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    const message = error.message.replace(/^error: /, '');
    terminal.document({ error: { code: 'usage', message } });
    if (terminal.json) terminal.note(`edge-agent: ${message}`);
    return EXIT.usage;
  }
  if (signal.aborted && (error === signal.reason || error instanceof Interrupted)) {
    terminal.document({ error: { code: 'interrupted', message: 'interrupted' } });
    return EXIT.interrupted;
  }
  return tellFailure(error, terminal);
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some((word, index) => {
    return (
      word === '--output=json' ||
      word === '-ojson' ||
      ((word === '--output' || word === '-o') && argv[index + 1] === 'json')
    );
  });
}
