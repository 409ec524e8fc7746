import type { Command } from 'commander';
import { withOperations } from '../agent-access.ts';
import { globalsOf } from '../globals.ts';
import { bytes } from '../terminal.ts';

export function addGc(program: Command): void {
  program
    .command('gc')
    .description('remove what retention lets go: versions, tags, git objects, downloads, run folders')
    .option('--dry-run', 'say what would go and remove nothing')
    .action(async (options: { dryRun?: boolean }, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      await withOperations(globals, 'gc', async (operations) => {
        const answer = await operations.gc({ dry_run: options.dryRun === true }, signal);
        terminal.document(answer);
        const verb = answer.dry_run ? 'would remove' : 'removed';
        for (const { path, bytes: size, because } of answer.versions) {
          terminal.line(`${verb} version ${path} (${bytes(size)}): ${because}`);
        }
        for (const { name, bytes: size } of answer.environments) {
          terminal.line(`${verb} environment ${name} (${bytes(size)})`);
        }
        for (const tag of answer.tags) terminal.line(`${verb} tag ${tag}`);
        const { git, staging, runs } = answer;
        terminal.line(
          `${verb} ${answer.versions.length} versions, ${answer.tags.length} tags, ${runs} runs,`,
        );
        terminal.line(
          `  ${git.objects} git objects (${bytes(git.bytes)}), ${staging.removed} downloads (${bytes(staging.bytes)})`,
        );
      });
    });
}
