import type { Command } from '../schemas/command.ts';
import { commandSubject, describeCommand } from './command-words.ts';
import type { Clock, CommandStore, EventSink, StateDocuments, StoredCommand } from './ports.ts';

type Of<Action extends Command['action']> = Extract<Command, { action: Action }>;

/** What came of a command, one sentence. `ok` is false when it could not be done as it was asked for. */
export interface CommandOutcome {
  readonly ok: boolean;
  readonly message: string;
  /** The version of its flow that is active since, where it changed that. */
  readonly version?: string;
}

/** What a command has done here. Each may be asked again after a crash, and then changes nothing more. */
export interface CommandActions {
  /**
   * Puts the run into the queue, or a failed run into the list when it cannot run; a `run_id` that is there stays as it is.
   * Called inside the transaction that says the command is done, so it must not wait.
   */
  run(command: Of<'run'>): CommandOutcome;
  cancel(command: Of<'cancel'>, signal: AbortSignal): Promise<CommandOutcome>;
  suspend(command: Of<'suspend'>, signal: AbortSignal): Promise<CommandOutcome>;
  resume(command: Of<'resume'>, signal: AbortSignal): Promise<CommandOutcome>;
  rollback(command: Of<'rollback'>, signal: AbortSignal): Promise<CommandOutcome>;
}

export interface CommandWorkDeps {
  readonly store: CommandStore;
  readonly actions: CommandActions;
  readonly transaction: StateDocuments['transaction'];
  readonly tenant: string;
  readonly agentId: () => string | null;
  readonly events: EventSink;
  readonly clock: Clock;
  /** What went wrong here and not with the command: a full disk, a bug. */
  readonly onFault: (error: unknown) => void;
}

/** Carries out what is accepted, in its order. */
export interface CommandWork {
  /** From now on. */
  start(): void;
  /** There is more to do. */
  wake(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
  /** Ends what is under way; what is not done then stays to be done. */
  close(): Promise<void>;
}

const BATCH = 50;
const ACTION_DEADLINE_MS = 10 * 60_000;
const AGAIN_AFTER_MS = 5_000;
const OUTCOME_MAX_CHARACTERS = 1_000;

/** `onDone`: one command fewer waits. What this machine could not write down is tried again. Never rejects. */
export function createCommandWork(deps: CommandWorkDeps, onDone: () => void): CommandWork {
  const { store, actions, events, clock } = deps;
  const closing = new AbortController();
  let started = false;
  let more = false;
  let working: Promise<void> | null = null;

  function wake(): void {
    more = true;
    if (!started || closing.signal.aborted) return;
    working ??= work().finally(() => {
      working = null;
      if (more) wake();
    });
  }

  async function work(): Promise<void> {
    while (more && !closing.signal.aborted) {
      more = false;
      let failed = 0;
      try {
        const batch = store.pending(BATCH);
        for (const stored of batch) {
          if (closing.signal.aborted) return;
          if (!(await carryOut(stored))) failed += 1;
        }
        if (failed < batch.length && batch.length === BATCH) more = true;
      } catch (error) {
        deps.onFault(error);
        failed += 1;
      }
      if (failed === 0) continue;
      more = true;
      await clock.sleep(AGAIN_AFTER_MS, closing.signal).catch(() => {});
    }
  }

  /** False when it has to be tried again, because this machine could not write it down. */
  async function carryOut({ command }: StoredCommand): Promise<boolean> {
    try {
      const outcome = isOurs(command)
        ? command.action === 'run'
          ? queueRun(command)
          : await act(command)
        : noteDone(command, notOurs(command));
      if (outcome === null) return false;
      onDone();
      const message = `command ${command.command_id}: ${outcome.message}`;
      const severity = outcome.ok ? 'info' : 'warning';
      const version = outcome.version === undefined ? {} : { version: outcome.version };
      events.emit({ severity, reason: 'CommandDone', message, ...commandSubject(command), ...version });
      return true;
    } catch (error) {
      deps.onFault(error);
      return false;
    }
  }

  /** It was verified when it came; agent.yaml may name another agent since. */
  function isOurs({ tenant, agent_id }: Command): boolean {
    return tenant === deps.tenant && agent_id === deps.agentId();
  }

  function notOurs(command: Command): CommandOutcome {
    const now = `agent ${deps.agentId() ?? '(none)'} of tenant ${deps.tenant}`;
    const message = `${describeCommand(command)}: not done: expected a command for ${now}, found one for agent ${command.agent_id} of tenant ${command.tenant}`;
    return { ok: false, message };
  }

  function queueRun(command: Of<'run'>): CommandOutcome {
    return deps.transaction(() => noteDone(command, actions.run(command)));
  }

  /** Null when the agent is closing: it stays to be done. */
  async function act(command: Exclude<Command, Of<'run'>>): Promise<CommandOutcome | null> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(ACTION_DEADLINE_MS)]);
    let outcome: CommandOutcome;
    try {
      outcome = await perform(actions, command, signal);
    } catch (error) {
      if (closing.signal.aborted) return null;
      deps.onFault(error);
      // Not tried again: how far it came is not known.
      const why = error instanceof Error ? error.message : String(error);
      outcome = { ok: false, message: `${describeCommand(command)}: failed: ${why}` };
    }
    return noteDone(command, outcome);
  }

  function noteDone(command: Command, outcome: CommandOutcome): CommandOutcome {
    store.done(command.command_id, clock.now(), outcome.message.slice(0, OUTCOME_MAX_CHARACTERS));
    return outcome;
  }

  const idle = async () => {
    while (working !== null) await working;
  };

  return {
    start() {
      started = true;
      wake();
    },
    wake,
    idle,
    close() {
      closing.abort();
      return idle();
    },
  };
}

function perform(
  actions: CommandActions,
  command: Exclude<Command, Of<'run'>>,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  switch (command.action) {
    case 'cancel':
      return actions.cancel(command, signal);
    case 'suspend':
      return actions.suspend(command, signal);
    case 'resume':
      return actions.resume(command, signal);
    case 'rollback':
      return actions.rollback(command, signal);
  }
}
