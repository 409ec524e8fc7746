import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Unenrolment } from '../../agent/unenrolment.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type Globals, globalsOf } from '../globals.ts';
import type { Terminal } from '../terminal.ts';

interface Options {
  force?: boolean;
  local?: boolean;
  purge?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

export function addUnenroll(program: Command): void {
  program
    .command('unenroll')
    .description(
      'make this machine an agent no more: its key and its tokens are removed, and the console is told',
    )
    .option('--dry-run', 'say what would be removed and do nothing')
    .option('--force', 'leave also when the console cannot be told')
    .option('--local', 'tell the console nothing: this machine is a copy, and the other one stays the agent')
    .option('--purge', 'remove versions, state, trust and flow secrets too')
    .option('-y, --yes', 'ask nothing')
    .action(async (options: Options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      const [{ unenrol }, { executable, quietLog }] = await Promise.all([
        import('../../agent/unenrolment.ts'),
        import('../agent-access.ts'),
      ]);
      const log = await quietLog(globals);
      const order = {
        configFile: globals.config,
        executable,
        log,
        force: options.force === true,
        local: options.local === true,
        purge: options.purge === true,
        now: () => new Date(),
        onProgress: (text: string) => terminal.progress(text),
      };
      try {
        const would = await unenrol({ ...order, dryRun: true }, signal);
        const asks = would.was_enrolled && options.dryRun !== true && options.yes !== true;
        if (asks) await expectYes(would, globals, order.purge);
        const done = options.dryRun === true ? would : await unenrol({ ...order, dryRun: false }, signal);
        terminal.clearProgress();
        terminal.document(done);
        tell(done, terminal, order.purge);
      } finally {
        terminal.clearProgress();
        log.close();
      }
    });
}

/** What cannot be undone is asked for at a terminal, and said on the command line where nobody is there to answer. */
async function expectYes(would: Unenrolment, { terminal, signal }: Globals, purge: boolean): Promise<void> {
  if (!process.stdin.isTTY || terminal.json) {
    const message = 'expected --yes where nobody can be asked: a new token is needed to undo this';
    throw new CommandFailure('usage', message, EXIT.usage);
  }
  terminal.note(
    `This machine is agent ${would.agent_id ?? 'of nobody'} of ${would.tenant}. Removed will be:`,
  );
  for (const path of would.removed) terminal.note(`  ${path}`);
  if (purge)
    terminal.note('Versions, runs, flow secrets and everything this agent remembers are among them.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const answer = await Promise.race([lines.question('Go on? [y/N] ', { signal }), ended]);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new CommandFailure('interrupted', 'nothing was changed', EXIT.interrupted);
}

function tell(done: Unenrolment, terminal: Terminal, purged: boolean): void {
  if (!done.was_enrolled) {
    terminal.line('This machine is not enrolled; there was nothing to do.');
    return;
  }
  const verb = done.dry_run ? 'Would be removed' : 'Removed';
  if (!done.dry_run) terminal.line(`This machine is no agent of ${done.tenant} any more.`);
  terminal.line();
  for (const path of done.removed) terminal.line(`  ${verb.toLowerCase().padEnd(16)} ${path}`);
  for (const path of done.kept) terminal.line(`  ${'stays'.padEnd(16)} ${path}`);
  if (done.dry_run) return;
  terminal.line();
  if (done.console === 'told')
    terminal.line(`The console takes nothing from agent ${done.agent_id} any more.`);
  if (done.console === 'knew') terminal.line(`The console had let agent ${done.agent_id} go before.`);
  if (done.console === 'not_told') {
    terminal.note(
      `warning: the console was not told: ${done.console_message ?? 'no answer'}. Until it revokes agent ${done.agent_id}, it waits for it.`,
    );
  }
  if (done.reports_waiting > 0 && !purged) {
    terminal.note(
      `warning: ${done.reports_waiting} reports were not delivered; they go out when this machine is enrolled in ${done.tenant} again`,
    );
  }
  terminal.line('Enrol it again with a new token: edge-agent enroll');
}
