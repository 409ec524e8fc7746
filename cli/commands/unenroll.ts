import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Unenrolment } from '../../agent/unenrolment.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type Globals, globalsOf } from '../globals.ts';
import { planOfLeaving, tellUnenrolment, type Way, whoLeaves } from '../render/unenrolment.ts';

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
    .option('--dry-run', 'say what would end, be told, changed and removed, and do nothing')
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
        if (asks) await expectYes(would, globals, order);
        const done = options.dryRun === true ? would : await unenrol({ ...order, dryRun: false }, signal);
        terminal.clearProgress();
        terminal.document(done);
        tellUnenrolment(done, terminal, order);
      } finally {
        terminal.clearProgress();
        log.close();
      }
    });
}

/** What cannot be undone is asked for at a terminal, and said on the command line where nobody is there to answer. */
async function expectYes(would: Unenrolment, { terminal, signal }: Globals, way: Way): Promise<void> {
  if (!process.stdin.isTTY || terminal.json) {
    const message = 'expected --yes where nobody can be asked: a new token is needed to undo this';
    throw new CommandFailure('usage', message, EXIT.usage);
  }
  terminal.note(`This machine is ${whoLeaves(would)}. Leaving will:`);
  for (const line of planOfLeaving(would, way)) terminal.note(line);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const answer = await Promise.race([lines.question('Go on? [y/N] ', { signal }), ended]);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new CommandFailure('declined', 'nothing was changed', EXIT.usage);
}
