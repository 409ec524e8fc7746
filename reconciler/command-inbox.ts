import { commandSubject, describeCommand } from './command-words.ts';
import { type CommandWorkDeps, createCommandWork } from './command-work.ts';
import type { CommandChannel, CommandInbox, CommandReceipt, CommandVerifier, TrustMemory } from './ports.ts';
import { createRefusalNotices } from './refusal-notices.ts';

export interface CommandInboxDeps extends CommandWorkDeps {
  /** For the configuration in force. */
  readonly verifier: () => CommandVerifier;
  readonly trustMemory: () => Promise<TrustMemory>;
  readonly stateSince: Date;
  /** The console's clock minus ours, in milliseconds; 0 while it is not known. */
  readonly clockOffsetMs?: () => number;
  /**
   * Keeps, with the credentials, that a command of this time was taken: the clock here is behind, so a state that began anew by
   * it would take the command for a new one.
   */
  readonly noteAhead?: (issued: Date) => Promise<void>;
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
/** Clocks that are kept right differ by less. */
const AHEAD_MS = 1_000;

/**
 * Received → verified → persisted → acknowledged → done (contract, section 8). `receive` takes commands one at a time in the
 * order of the calls, and resolves when the command is on disk; they are carried out afterwards in that order. A run and
 * its command's `done` are one transaction, so that no crash loses it or runs it twice. Never rejects.
 */
export function createCommandInbox(deps: CommandInboxDeps): CommandInboxControl {
  const { store, events, clock } = deps;
  let closed = false;
  const noticeRefusal = createRefusalNotices(events, clock);
  let { pending, all } = store.count();
  let forgottenUntil = store.forgottenUntil();
  let untilPrune = PRUNE_EVERY;
  let prunedAtMs = Number.NEGATIVE_INFINITY;
  let arriving = 0;
  let lastArrival: Promise<unknown> = Promise.resolve();
  const work = createCommandWork(deps, () => {
    pending -= 1;
  });

  async function take(jws: string, via: CommandChannel): Promise<CommandReceipt> {
    const memory = await deps.trustMemory();
    const verdict = await deps.verifier().verify(jws, {
      memory,
      now: notBefore(clock.now(), forgottenUntil),
      agentId: deps.agentId(),
      stateSince: deps.stateSince,
      clockOffsetMs: deps.clockOffsetMs?.() ?? 0,
      forgottenUntil,
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
    const issued = new Date(command.issued);
    if (issued.getTime() > clock.now().getTime() + AHEAD_MS) await deps.noteAhead?.(issued);
    if (!store.insert(command, via, clock.now())) return { kind: 'repeated', commandId };
    pending += 1;
    all += 1;
    untilPrune -= 1;
    const because = `signed by the trigger key ${kid}, through ${via}`;
    const message = `command ${commandId} is accepted: ${describeCommand(command)}`;
    events.emit({
      severity: 'info',
      reason: 'CommandAccepted',
      message,
      because,
      ...commandSubject(command),
    });
    if (untilPrune <= 0 || clock.monotonicMs() - prunedAtMs >= PRUNE_EVERY_MS) prune();
    work.wake();
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

  return {
    receive(jws, via) {
      if (closed || arriving >= ARRIVING_MAX) {
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
      prune();
      work.start();
    },
    prune,
    async idle() {
      await lastArrival;
      await work.idle();
    },
    async close() {
      closed = true;
      const ended = work.close();
      await lastArrival;
      await ended;
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
