import type { Command } from 'commander';
import { AGENT_VERSION, cpuArch, osName } from '../../agent/version.ts';
import { globalsOf } from '../globals.ts';

export function addVersion(program: Command): void {
  program
    .command('version')
    .description('print the version')
    .action((_options, command: Command) => {
      const { terminal } = globalsOf(command);
      const about = {
        version: AGENT_VERSION,
        node: process.version,
        os: osName(),
        arch: cpuArch() ?? process.arch,
      };
      terminal.document(about);
      terminal.line(`edge-agent ${about.version} (node ${about.node}, ${about.os} ${about.arch})`);
    });
}
