import type { Command } from '../schemas/command.ts';

/** What the events of a command are about. */
export function commandSubject(command: Command): { flow?: string; run_id?: string; command_id: string } {
  const { command_id } = command;
  switch (command.action) {
    case 'run':
      return { flow: command.flow, run_id: command.run_id, command_id };
    case 'cancel':
      return { run_id: command.run_id, command_id };
    case 'rollback':
      return { flow: command.flow, command_id };
    default:
      return { command_id };
  }
}

/** What it asks for, as a clause. */
export function describeCommand(command: Command): string {
  switch (command.action) {
    case 'run':
      return `run flow ${command.flow}${command.version === undefined ? '' : ` in version ${command.version}`} as ${command.run_id}`;
    case 'cancel':
      return `cancel run ${command.run_id}`;
    case 'suspend':
      return `suspend activation, by ${command.by}: ${command.why}`;
    case 'resume':
      return `resume activation, by ${command.by}`;
    case 'rollback':
      return `roll flow ${command.flow} back, by ${command.by}: ${command.why}`;
  }
}
