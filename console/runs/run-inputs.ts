import { Command } from '../../schemas/command.ts';
import type { RunInputs } from '../../schemas/console/run.ts';
import { readCommandEnvelope } from '../../trust/command-envelope.ts';
import { parseStrictJson } from '../../trust/strict-json.ts';
import type { ConsoleState } from '../state.ts';
import type { IndexedRun } from '../store/ports/run-index.ts';

/** What the page of a run holds of them; what is more is asked for by itself. A command has 64 KiB in all. */
const SHOWN_MAX_BYTES = 16 * 1024;

/** What a run was given, and how many bytes of JSON that is. */
export interface GivenInputs {
  readonly value: unknown;
  readonly bytes: number;
}

/**
 * What the console knows of the inputs of a run: they are in the signed command that asked for it, and nowhere else
 * (docs/decisions/0097-inputs-of-runs.md). Null where there is no such command, or it gives none.
 */
export async function givenInputs(
  state: Pick<ConsoleState, 'commands'>,
  run: Pick<IndexedRun, 'agent_id' | 'run_id' | 'trigger'>,
): Promise<GivenInputs | null> {
  const jws = await commandOf(state, run);
  return jws === null ? null : inputsIn(jws);
}

/** As the page of the run tells of them: whole to who may operate the flow, to others only that there are some. */
export async function runInputs(
  state: Pick<ConsoleState, 'commands'>,
  run: Pick<IndexedRun, 'agent_id' | 'run_id' | 'trigger' | 'asked_at'>,
  mayRead: boolean,
): Promise<RunInputs> {
  const jws = await commandOf(state, run);
  // One that was asked for through this console outlives its command, of which fewer are kept.
  if (jws === null) return { kind: isOfCommand(run) && run.asked_at !== null ? 'forgotten' : 'elsewhere' };
  const given = inputsIn(jws);
  if (given === null) return { kind: 'none' };
  if (!mayRead) return { kind: 'withheld' };
  const { value, bytes } = given;
  return bytes > SHOWN_MAX_BYTES ? { kind: 'large', bytes } : { kind: 'given', bytes, value };
}

async function commandOf(
  { commands }: Pick<ConsoleState, 'commands'>,
  run: Pick<IndexedRun, 'agent_id' | 'run_id' | 'trigger'>,
): Promise<string | null> {
  return isOfCommand(run) ? commands.asked(run.agent_id, run.run_id) : null;
}

/** A command that came with the run_id of a run that something else began is not what that was given. */
function isOfCommand({ trigger }: Pick<IndexedRun, 'trigger'>): boolean {
  return (trigger ?? 'command') === 'command';
}

function inputsIn(jws: string): GivenInputs | null {
  const envelope = readCommandEnvelope(jws);
  const json = envelope.kind === 'read' ? parseStrictJson(envelope.payload) : null;
  if (json === null || json.kind === 'malformed') return null;
  const command = Command.safeParse(json.value).data;
  const value = command?.action === 'run' ? command.inputs : undefined;
  if (value === undefined || isEmpty(value)) return null;
  return { value, bytes: Buffer.byteLength(JSON.stringify(value)) };
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}
