import type { Command } from 'commander';
import type { OperationOutput } from '../../agent/operations.ts';
import { withOperations } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { globalsOf } from '../globals.ts';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('check every version on disk, the release it came from and the event log, again')
    .action(async (_options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withOperations(globals, 'verify', async (operations) => {
        terminal.progress('hashing versions …');
        const answer = await operations.verify({}, signal);
        terminal.document(answer);
        const mark = (good: boolean) => (good ? terminal.paint('green', '✔') : terminal.paint('red', '✘'));
        for (const { path, state, message } of answer.versions) {
          terminal.line(`${mark(state === 'intact')} ${path}${message === null ? '' : `  ${message}`}`);
        }
        const { events, release } = answer;
        terminal.line(
          `${mark(events.state === 'intact')} event log, ${events.checked} events${events.message === null ? '' : `  ${events.message}`}`,
        );
        terminal.line(
          `${mark(release.state !== 'refused')} release ${release.state}${release.message === null ? '' : `  ${release.message}`}`,
        );
        if (answer.ok) return;
        process.exitCode = release.state === 'refused' ? EXIT.refused : EXIT.stalled;
        terminal.note(`edge-agent: ${adviceOf(answer)}`);
      });
    });
}

function adviceOf({ versions, events, release }: OperationOutput<'verify'>): string {
  if (release.state === 'refused')
    return 'the release that was applied is no longer believed; look at what changed';
  if (versions.some((version) => version.state === 'drifted')) {
    return 'not every version is as it was unpacked; "edge-agent reconcile" repairs active ones, others go by retention';
  }
  return events.state === 'broken'
    ? 'the event log was changed; keep a copy and find out by whom'
    : 'not everything holds';
}
