import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from '../../../schemas/command.ts';
import type { SeededChance } from './chance.ts';
import type { Machine, OpenRun } from './machine.ts';
import { brokenPageRun, cancelledRun, goodRun, type RunText } from './output.ts';

/** Runs under way on one machine, by their id: what a cancel ends. */
type Underway = Map<string, AbortController>;

/**
 * What a connected machine does when a command comes: it believes every one (who signed it is the agent's own tests' matter) and
 * takes its time, so that a page has something to follow.
 */
export function obedienceOf(
  machine: Machine,
  chance: SeededChance,
  signal: AbortSignal,
): (jws: string) => void {
  const underway: Underway = new Map();
  const act = async (jws: string): Promise<void> => {
    const payload: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const command = Command.parse(payload);
    const at = new Date();
    const { command_id } = command;
    switch (command.action) {
      case 'run': {
        const { flow, run_id } = command;
        await machine.answers({ command_id, flow, run_id }, `run ${run_id} of flow ${flow} is queued`, at);
        return carryOut(machine, command, { chance, underway, signal });
      }
      case 'cancel': {
        const { run_id } = command;
        underway.get(run_id)?.abort();
        return machine.answers({ command_id, run_id }, `run ${run_id} is being cancelled`, at);
      }
      case 'suspend':
        await machine.suspends({ by: command.by, why: command.why, until: command.until ?? null }, at);
        return machine.answers({ command_id }, `activation is suspended by ${command.by}`, at);
      case 'resume':
        await machine.resumes(command.by, at);
        return machine.answers({ command_id }, `activation is resumed by ${command.by}`, at);
      case 'rollback': {
        const { flow, by } = command;
        await machine.rollsBack(flow, by, command.why, at);
        return machine.answers({ command_id, flow }, `flow ${flow} is rolled back by ${by}`, at);
      }
    }
  };
  return (jws) => {
    act(jws).catch((error: unknown) => {
      if (!signal.aborted)
        process.stderr.write(`${machine.member.hostname.slice(0, 40)}: ${String(error)}\n`);
    });
  };
}

/** A run of about twelve seconds that prints as it goes, or until it is cancelled. */
async function carryOut(
  machine: Machine,
  command: { readonly run_id: string; readonly flow: string },
  parts: { readonly chance: SeededChance; readonly underway: Underway; readonly signal: AbortSignal },
): Promise<void> {
  const { chance, underway, signal } = parts;
  const cancel = new AbortController();
  underway.set(command.run_id, cancel);
  const run = await machine.begins(
    { flow: command.flow, trigger: 'command', runId: command.run_id },
    new Date(),
  );
  const whole = machine.member.plight === 'failing-runs' ? brokenPageRun() : goodRun(command.flow, chance);
  const ended = await printSlowly(run, whole, AbortSignal.any([cancel.signal, signal]));
  underway.delete(command.run_id);
  if (signal.aborted) return;
  const rest = { stdout: ended ? '' : '\ncancelled\n', stderr: ended ? whole.stderr : '' };
  const text: RunText = { ...(ended ? whole : cancelledRun()), ...rest };
  await run.ends(text, new Date());
}

/** Line by line; false when it was cut short. */
export async function printSlowly(run: OpenRun, text: RunText, signal: AbortSignal): Promise<boolean> {
  for (const line of text.stdout.split(/(?<=\n)/)) {
    await run.prints('stdout', line);
    await sleep(800, undefined, { signal, ref: false }).catch(() => {});
    if (signal.aborted) return false;
  }
  return true;
}
