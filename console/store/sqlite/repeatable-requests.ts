import type { Begun, RepeatableRequest, RepeatableRequestStore } from '../ports/repeatable-requests.ts';
import type { ConsoleDatabase } from './database.ts';
import { createPruning } from './pruning.ts';

/** What one caller has kept, as counted once and added to since: a count reads every row of theirs, and answers are large. */
interface Tally {
  answers: number;
  requests: number;
  readonly oldest: string | null;
  readonly countedMs: number;
}

const TALLIES_MAX = 1_000;
/** Who is over the bound is counted anew no more often than this. */
const RECOUNT_EVERY_MS = 60_000;

export function createRepeatableRequestStore(database: ConsoleDatabase): RepeatableRequestStore {
  const { prepare } = database;
  const tallies = new Map<string, Tally>();

  const count = (actor: string): Tally => {
    const counted = prepare(
      'SELECT count(answer) AS answers, count(*) AS requests, min(begun_at) AS oldest FROM repeatable_requests WHERE actor_id = ?',
    ).get(actor) as Omit<Tally, 'countedMs'>;
    const tally = { ...counted, countedMs: performance.now() };
    tallies.delete(actor);
    tallies.set(actor, tally);
    const [first] = tallies.keys();
    if (tallies.size > TALLIES_MAX && first !== undefined) tallies.delete(first);
    return tally;
  };

  /** As it is now, exactly, where it is over: others may have gone since. */
  const tallyOf = (actor: string, isOver: (tally: Tally) => boolean): Tally => {
    const tally = tallies.get(actor) ?? count(actor);
    const isFresh = tally.oldest !== null && performance.now() - tally.countedMs < RECOUNT_EVERY_MS;
    return isOver(tally) && !isFresh ? count(actor) : tally;
  };

  return {
    begin: async (request, bounds) =>
      database.write((): Begun => {
        const { actor_id, key, request_sha256, begun_at } = request;
        const row = prepare(
          'SELECT actor_id, key, request_sha256, begun_at, answer FROM repeatable_requests WHERE actor_id = ? AND key = ?',
        ).get(actor_id, key);
        if (row !== undefined) return { kind: 'there', request: row as unknown as RepeatableRequest };
        const isOver = ({ answers, requests }: Tally) =>
          answers >= bounds.answers || requests >= bounds.requests;
        const tally = tallyOf(actor_id, isOver);
        if (isOver(tally)) return { kind: 'too_many', oldest: tally.oldest ?? begun_at };
        prepare(
          'INSERT INTO repeatable_requests (actor_id, key, request_sha256, begun_at) VALUES (?, ?, ?, ?)',
        ).run(actor_id, key, request_sha256, begun_at);
        tally.requests += 1;
        return { kind: 'there', request: { ...request, answer: null } };
      }),
    answered: async (actorId, key, answer) =>
      database.write(() => {
        const { changes } = prepare(
          'UPDATE repeatable_requests SET answer = ? WHERE actor_id = ? AND key = ? AND answer IS NULL',
        ).run(answer, actorId, key);
        const tally = tallies.get(actorId);
        if (tally !== undefined) tally.answers += Number(changes);
      }),
    prune: async (before, signal) =>
      createPruning(database, signal).inPieces((limit) => {
        const done = prepare(
          `DELETE FROM repeatable_requests WHERE (actor_id, key) IN
             (SELECT actor_id, key FROM repeatable_requests WHERE begun_at < ? LIMIT ?)`,
        ).run(before.toISOString(), limit);
        tallies.clear();
        return Number(done.changes);
      }),
  };
}
