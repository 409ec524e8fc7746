import { Command, CommanderError, Option } from 'commander';
import { EXIT } from './exit-codes.ts';
import { tellFailure } from './failure.ts';
import { Interrupted, listenForSignals } from './globals.ts';
import { createTerminal } from './terminal.ts';

const NO_VERB = 'expected a command such as status, found none; "edge-agent --help" lists them';

type Add = (program: Command) => void;

/** In the order of the help. Only the command that was asked for is loaded: the others would cost more than most commands do. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  enroll: async () => (await import('./commands/enroll.ts')).addEnroll,
  unenroll: async () => (await import('./commands/unenroll.ts')).addUnenroll,
  run: async () => (await import('./commands/run.ts')).addRun,
  reconcile: async () => (await import('./commands/reconcile.ts')).addReconcile,
  status: async () => (await import('./commands/status.ts')).addStatus,
  events: async () => (await import('./commands/events.ts')).addEvents,
  trigger: async () => (await import('./commands/trigger.ts')).addTrigger,
  runs: async () => (await import('./commands/runs.ts')).addRuns,
  logs: async () => (await import('./commands/logs.ts')).addLogs,
  cancel: async () => (await import('./commands/cancel.ts')).addCancel,
  diff: async () => (await import('./commands/diff.ts')).addDiff,
  suspend: async () => (await import('./commands/suspend.ts')).addSuspend,
  resume: async () => (await import('./commands/suspend.ts')).addResume,
  rollback: async () => (await import('./commands/rollback.ts')).addRollback,
  retry: async () => (await import('./commands/retry.ts')).addRetry,
  upload: async () => (await import('./commands/upload.ts')).addUpload,
  gc: async () => (await import('./commands/gc.ts')).addGc,
  verify: async () => (await import('./commands/verify.ts')).addVerify,
  validate: async () => (await import('./commands/validate.ts')).addValidate,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  keys: async () => (await import('./commands/keys.ts')).addKeys,
  root: async () => (await import('./commands/root.ts')).addRoot,
  release: async () => (await import('./commands/release.ts')).addRelease,
  version: async () => (await import('./commands/version.ts')).addVersion,
};

/** Parses the command line, runs the command and sets the exit code (contract, section 10). */
export async function runProgram(argv: readonly string[]): Promise<void> {
  const signal = listenForSignals();
  endWithTheReader();
  const json = wantsJson(argv);
  const terminal = createTerminal(json);
  const program = new Command('edge-agent')
    .description('Makes what the branch of a tenant says true on this machine, and keeps it so.')
    .option('-c, --config <path>', 'agent.yaml (default: ./agent.yaml, else the platform’s place)')
    .addOption(
      new Option('-o, --output <format>', 'what results look like').choices(['text', 'json']).default('text'),
    )
    .option('-v, --verbose', 'say more on standard error')
    .option('-V, --version', 'print the version')
    .showSuggestionAfterError();
  const verb = asksVersion(argv) ? 'version' : verbOf(argv);
  const wanted = verb !== null && Object.hasOwn(COMMANDS, verb) ? [verb] : Object.keys(COMMANDS);
  for (const name of wanted) (await COMMANDS[name]?.())?.(program);
  quiet(program, json);
  try {
    await program.parseAsync(asksVersion(argv) ? [...argv.slice(0, 2), 'version'] : [...argv]);
  } catch (error) {
    process.exitCode = failureCode(error, signal, terminal);
  }
}

/** `edge-agent events | head`: when nobody reads any more, that is the end, and no error. */
function endWithTheReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.done);
      if (stream === process.stdout) process.stderr.write(`edge-agent: standard output: ${error.message}\n`);
      process.exit(EXIT.notYet);
    });
  }
}

/** Every command throws instead of ending the process, and is silent on standard output when a document is asked for. */
function quiet(command: Command, json: boolean): void {
  command.exitOverride();
  command.configureOutput({
    writeErr: (text) => process.stderr.write(text),
    // one form for all errors; with --output json they are told as a document
    outputError: (text, write) => {
      if (!json) write(text.replace(/^error: /, 'edge-agent: '));
    },
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
    const message = error.code === 'commander.help' ? NO_VERB : error.message.replace(/^error: /, '');
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

/** The first word that is no option of the program, nor the value of one. */
function verbOf(argv: readonly string[]): string | null {
  const words = argv.slice(2);
  const withValue = new Set(['-c', '--config', '-o', '--output']);
  const index = words.findIndex((word, at) => !word.startsWith('-') && !withValue.has(words[at - 1] ?? ''));
  return words[index] ?? null;
}

/** Only before any verb: a verb may have a `--version` of its own. */
function asksVersion(argv: readonly string[]): boolean {
  return argv[2] === '--version' || argv[2] === '-V';
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
