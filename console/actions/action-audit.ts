import type { Actor } from '../people/actor.ts';
import type { AuditEntry } from '../store/ports/audit.ts';
import type { Target } from './action-plan.ts';
import type { Asked } from './asked.ts';
import type { CommandDraft } from './signed-command.ts';

/** The row of the audit that tells of an action at one agent. */
export function entry(
  action: AuditEntry['action'],
  { tenant, agent_id }: Target,
  actor: Actor,
  { reason }: Asked,
  message: string,
): AuditEntry {
  return { action, tenant, agent_id, by: actor.by, actor_id: actor.id, message, reason };
}

/** What a command asks, as a sentence. */
export function saying(draft: CommandDraft, commandId: string): string {
  const under = `(command ${commandId})`;
  switch (draft.action) {
    case 'run':
      return `it was asked to run ${draft.flow}, run ${draft.run_id} ${under}`;
    case 'cancel':
      return `it was asked to cancel the run ${draft.run_id} ${under}`;
    case 'suspend':
      return `it was asked to activate nothing${draft.until === undefined ? '' : ` until ${draft.until}`} ${under}`;
    case 'resume':
      return `it was asked to go on ${under}`;
    case 'rollback':
      return `it was asked to put the version before of ${draft.flow} back ${under}`;
  }
}
