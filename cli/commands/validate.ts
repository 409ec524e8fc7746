import type { Command } from 'commander';
import { loadConfig } from '../../agent/load-config.ts';
import { agentPaths } from '../../agent/paths.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { globalsOf } from '../globals.ts';

export function addValidate(program: Command): void {
  program
    .command('validate [files...]')
    .description('check agent.yaml, or the manifests and policies named (by their file names)')
    .action(async (files: string[], _options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal } = globals;
      if (files.length === 0) {
        const { config, digest } = await loadConfig(globals.config);
        const { checkMachine } = await import('../../agent/machine-checks.ts');
        const { problems, warnings } = await checkMachine(config, agentPaths(config, globals.config));
        for (const warning of warnings) terminal.note(`warning: ${warning}`);
        if (problems.length > 0) throw new CommandFailure('config_invalid', problems.join('\n'), EXIT.usage);
        terminal.document({
          valid: true,
          files: [{ file: globals.config, kind: 'agent', sha256: digest }],
          warnings,
        });
        return terminal.line(
          `${terminal.paint('green', '✔')} ${globals.config} is valid (tenant ${config.tenant})`,
        );
      }
      const { validateFile } = await import('../../agent/validate-file.ts');
      const answers = await Promise.all(files.map((file) => validateFile(file)));
      const wrong = answers.filter((answer) => answer.problems.length > 0);
      if (wrong.length > 0) {
        const message = wrong.flatMap((answer) => answer.problems).join('\n');
        throw new CommandFailure('invalid', message, EXIT.usage, answers);
      }
      terminal.document({
        valid: true,
        files: answers.map(({ file, kind, sha256 }) => ({ file, kind, sha256 })),
      });
      for (const { file, kind } of answers)
        terminal.line(`${terminal.paint('green', '✔')} ${file} is a valid ${kind}`);
    });
}
