import type { Command } from 'commander';
import { systemLocale } from '../../agent/effective-settings.ts';
import { createSystemClock } from '../../system/clock.ts';
import { globalsOf } from '../globals.ts';
import { renderDoctor } from '../render/doctor.ts';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('look at everything the agent needs, and say what is missing and what to do')
    .action(async (_options, command: Command) => {
      const { config, terminal, signal, verbose } = globalsOf(command);
      terminal.progress('looking …');
      const { examine } = await import('../../agent/doctor/doctor.ts');
      const report = await examine(config, createSystemClock(), signal);
      terminal.clearProgress();
      terminal.document(report);
      renderDoctor(report, terminal, { locale: systemLocale(), verbose });
      process.exitCode = report.exit_code;
    });
}
