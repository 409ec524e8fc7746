import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { acquireLock } from '../store/state-lock.ts';
import { OperationError } from './operation-error.ts';
import {
  belongsTo,
  endOther,
  noteOwner,
  otherOwner,
  ownerDetails,
  type StateClaim,
  type StateOwner,
  stateOwner,
} from './state-owner.ts';

/** Our own agent at work writes it down itself when it starts anew: that is not waited for. */
const LOCK_WAIT_MS = 1_000;

/**
 * Throws `usage` (exit 2) where the state folder is another agent's: two agents in one folder would be one, as the verbs of the
 * second would work as the first.
 */
export async function expectFreeState(
  claim: StateClaim,
  signal: AbortSignal,
  atWork: 'try_lock' | 'locked' = 'try_lock',
): Promise<void> {
  const other = await otherOwner(claim, signal, atWork);
  if (other === null) return;
  const message = `${dirname(claim.state)}: expected a folder for the state of this agent alone, found ${belongsTo(other)}; name another one with --cache-dir <folder>, such as --cache-dir EdgeFlows, or ${endOther(other)}; nothing was written, and the same token serves again`;
  throw new OperationError('usage', message, { exitCode: 2, details: ownerDetails(claim, other) });
}

/**
 * Makes the state this agent's, before its agent.yaml is there. Gives the agent that had it before, of another agent.yaml, if any.
 * Where the folder cannot be made it is the first reconcile that says so: the account that enrols may not be the one that works. In
 * a place of another account nothing is made: root's folder would keep out the account that is to work there, which notes itself.
 */
export async function takeState(
  claim: StateClaim,
  lockFile: string,
  signal: AbortSignal,
): Promise<StateOwner | null> {
  if (!isOwnPlace(claim.state)) {
    await expectFreeState(claim, signal);
    return null;
  }
  const holder = { pid: process.pid, verb: 'enroll' };
  const lock = await acquireLock(lockFile, { holder, waitMs: LOCK_WAIT_MS, signal }).catch(() => null);
  signal.throwIfAborted();
  try {
    await expectFreeState(claim, signal, lock?.kind === 'acquired' ? 'locked' : 'try_lock');
    if (lock?.kind !== 'acquired') return null;
    const before = await stateOwner(claim.state);
    noteOwner(claim);
    const same = before === null || before.agent_id === claim.agent_id || before.config === claim.config;
    return same ? null : before;
  } finally {
    if (lock?.kind === 'acquired') lock.release();
  }
}

/** False for root in a place that is another account's; whoever else makes something makes it for itself. */
function isOwnPlace(path: string): boolean {
  if (process.getuid?.() !== 0) return true;
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there !== undefined) return there.uid === 0;
  } catch {
    // A server of files that believes no root.
    return false;
  }
  return dirname(path) === path || isOwnPlace(dirname(path));
}
