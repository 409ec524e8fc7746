import type { Command } from '../schemas/command.ts';
import type {
  Clock,
  CommandChannel,
  CommandInbox,
  CommandReceipt,
  CommandStore,
  CommandVerifier,
  EventSink,
  StateDocuments,
  StoredCommand,
  TrustMemory,
} from './ports.ts';
import { createRefusalNotices } from './refusal-notices.ts';

type Of<Action extends Command['action']> = Extract<Command, { action: Action }>;

/** What came of a command, one sentence. `ok` is false when it could not be done as it was asked for. */
export interface CommandOutcome {
  readonly ok: boolean;
  readonly message: string;
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

export interface CommandInboxDeps {
  /** For the configuration in force. */
  readonly verifier: () => CommandVerifier;
  readonly trustMemory: () => Promise<TrustMemory>;
  readonly store: CommandStore;
  readonly actions: CommandActions;
  readonly transaction: StateDocuments['transaction'];
  readonly tenant: string;
  readonly agentId: () => string | null;
  readonly stateSince: Date;
  readonly events: EventSink;
  readonly clock: Clock;
  /** What went wrong here and not with the command: a full disk, a bug. */
  readonly onFault: (error: unknown) => void;
}

export interface CommandInboxControl extends CommandInbox {
  /** Carries out what was accepted and is not done, and from now on what comes. */
  start(): void;
  /** Forgets what is done and expired; also done by itself with the first command of an hour. */
  prune(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
  /** Takes nothing more and ends what is under way; what is not done then is carried out at the next start. */
  close(): Promise<void>;
}

/** Accepted and not done at most: past it the console is told to wait. */
const PENDING_MAX = 10_000;
/** Remembered at most, done ones included, until they expire. */
const REMEMBERED_MAX = 100_000;
/** Being verified, or waiting to be, at once. */
const ARRIVING_MAX = 256;
/** Commands, or this long, after which the expired are forgotten. */
const PRUNE_EVERY = 1_000;
const PRUNE_EVERY_MS = 60 * 60_000;
const BUSY_AFTER_MS = 5_000;
const BATCH = 50;
const ACTION_DEADLINE_MS = 10 * 60_000;
const AGAIN_AFTER_MS = 5_000;
const OUTCOME_MAX_CHARACTERS = 1_000;

/**
 * Received → verified → persisted → acknowledged → done (contract, section 8). `receive` takes commands one at a time in the
 * order of the calls, and resolves when the command is on disk; they are carried out afterwards in that order. A run and
 * its command's `done` are one transaction, so that no crash loses it or runs it twice. Never rejects.
 */
export function createCommandInbox(deps: CommandInboxDeps): CommandInboxControl {
  const { store, actions, events, clock } = deps;
  const closing = new AbortController();
  const noticeRefusal = createRefusalNotices(events, clock);
  let { pending, all } = store.count();
  let forgottenUntil = store.forgottenUntil();
  let untilPrune = PRUNE_EVERY;
  let prunedAtMs = Number.NEGATIVE_INFINITY;
  let arriving = 0;
  let lastArrival: Promise<unknown> = Promise.resolve();
  let started = false;
  let more = false;
  let working: Promise<void> | null = null;

  async function take(jws: string, via: CommandChannel): Promise<CommandReceipt> {
    const memory = await deps.trustMemory();
    const verdict = await deps.verifier().verify(jws, {
      memory,
      now: notBefore(clock.now(), forgottenUntil),
      agentId: deps.agentId(),
      stateSince: deps.stateSince,
    });
    if (verdict.kind === 'refused') {
      const { code, commandId } = verdict;
      // Signed and accepted while it was good; only the acknowledgement was lost.
      const late = code === 'command_expired' && commandId !== null && store.get(commandId) !== null;
      if (late) return { kind: 'repeated', commandId };
      noticeRefusal(verdict, via);
      return verdict;
    }
    const { command, kid } = verdict;
    const commandId = command.command_id;
    if (store.get(commandId) !== null) return { kind: 'repeated', commandId };
    if (pending >= PENDING_MAX || all >= REMEMBERED_MAX) {
      prune();
      const message = `expected at most ${PENDING_MAX} commands to be carried out and ${REMEMBERED_MAX} remembered, found ${pending} and ${all}; send it again later`;
      if (pending >= PENDING_MAX || all >= REMEMBERED_MAX) return busy(message);
    }
    if (!store.insert(command, via, clock.now())) return { kind: 'repeated', commandId };
    pending += 1;
    all += 1;
    untilPrune -= 1;
    const because = `signed by the trigger key ${kid}, through ${via}`;
    const message = `command ${commandId} is accepted: ${describe(command)}`;
    events.emit({ severity: 'info', reason: 'CommandAccepted', message, because, ...subject(command) });
    if (untilPrune <= 0 || clock.monotonicMs() - prunedAtMs >= PRUNE_EVERY_MS) prune();
    wake();
    return { kind: 'accepted', commandId };
  }

  function prune(): void {
    untilPrune = PRUNE_EVERY;
    prunedAtMs = clock.monotonicMs();
    try {
      store.prune(clock.now());
      ({ pending, all } = store.count());
      forgottenUntil = store.forgottenUntil();
    } catch (error) {
      deps.onFault(error);
    }
  }

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
      pending -= 1;
      const message = `command ${command.command_id}: ${outcome.message}`;
      const severity = outcome.ok ? 'info' : 'warning';
      events.emit({ severity, reason: 'CommandDone', message, ...subject(command) });
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
    const message = `${describe(command)}: not done: expected a command for ${now}, found one for agent ${command.agent_id} of tenant ${command.tenant}`;
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
      outcome = { ok: false, message: `${describe(command)}: failed: ${why}` };
    }
    return noteDone(command, outcome);
  }

  function noteDone(command: Command, outcome: CommandOutcome): CommandOutcome {
    store.done(command.command_id, clock.now(), outcome.message.slice(0, OUTCOME_MAX_CHARACTERS));
    return outcome;
  }

  return {
    receive(jws, via) {
      if (closing.signal.aborted || arriving >= ARRIVING_MAX) {
        return Promise.resolve(busy('the agent takes no more commands at this moment; send it again later'));
      }
      arriving += 1;
      const receipt = lastArrival
        .then(() => take(jws, via))
        .catch((error: unknown) => {
          deps.onFault(error);
          const why = error instanceof Error ? error.message : String(error);
          return busy(`the command could not be written down: ${why}`);
        })
        .finally(() => {
          arriving -= 1;
        });
      lastArrival = receipt;
      return receipt;
    },
    start() {
      started = true;
      prune();
      wake();
    },
    prune,
    async idle() {
      await lastArrival;
      while (working !== null) await working;
    },
    async close() {
      closing.abort();
      await lastArrival;
      while (working !== null) await working;
    },
  };
}

function busy(message: string): CommandReceipt {
  return { kind: 'busy', message, afterMs: BUSY_AFTER_MS };
}

/** A clock that was set back must not bring back to life a command that was taken, expired and forgotten. */
function notBefore(now: Date, floor: Date | null): Date {
  return floor !== null && floor > now ? floor : now;
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

/** What the events of a command are about. */
function subject(command: Command): { flow?: string; run_id?: string } {
  switch (command.action) {
    case 'run':
      return { flow: command.flow, run_id: command.run_id };
    case 'cancel':
      return { run_id: command.run_id };
    case 'rollback':
      return { flow: command.flow };
    default:
      return {};
  }
}

function describe(command: Command): string {
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
