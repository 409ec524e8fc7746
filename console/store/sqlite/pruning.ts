import type { ConsoleDatabase } from './database.ts';

/** Rows that one write takes away: some milliseconds, in which nothing else of the console runs. */
export const PIECE_ROWS = 500;
/** Looks for what is too old go on for so long before others have their turn. */
const SLICE_MS = 5;
const AGENTS_AT_ONCE = 200;

export interface Pruning {
  /** `remove` takes away `limit` rows at most, and says how many: again, in a write of its own, until there are none. */
  inPieces(remove: (limit: number) => number): Promise<number>;
  /**
   * The same of every agent: `look` reads what of it is too much (null: nothing), `remove` takes a piece of that away, the oldest
   * first.
   */
  ofEachAgent<T>(
    look: (agentId: string) => T | null,
    remove: (agentId: string, found: T, limit: number) => number,
  ): Promise<number>;
}

/**
 * Takes away what is too much in pieces, each a step of its own that a power cut may come after: reports and pages have their turn
 * between any two, and what is left is found again at the next time. Throws the signal's reason between two pieces.
 */
export function createPruning(
  { prepare, write }: Pick<ConsoleDatabase, 'prepare' | 'write'>,
  signal?: AbortSignal,
): Pruning {
  const inPieces = async (remove: (limit: number) => number) => {
    for (let total = 0; ; ) {
      signal?.throwIfAborted();
      const gone = await write(() => remove(PIECE_ROWS));
      total += gone;
      if (gone === 0) return total;
      // Another's write may be answered, and the next one asked for, before this goes on.
      await new Promise((wake) => setImmediate(wake));
    }
  };
  return {
    inPieces,
    async ofEachAgent(look, remove) {
      let total = 0;
      let until = performance.now() + SLICE_MS;
      for (let after = ''; ; ) {
        const agents = prepare(
          'SELECT agent_id FROM agents WHERE agent_id > ? ORDER BY agent_id LIMIT ?',
        ).all(after, AGENTS_AT_ONCE) as { agent_id: string }[];
        for (const { agent_id: agentId } of agents) {
          const found = look(agentId);
          if (found !== null) total += await inPieces((limit) => remove(agentId, found, limit));
          if (performance.now() < until) continue;
          await new Promise((wake) => setImmediate(wake));
          signal?.throwIfAborted();
          until = performance.now() + SLICE_MS;
        }
        const last = agents.at(-1);
        if (last === undefined) return total;
        after = last.agent_id;
      }
    },
  };
}

/** Of an agent's rows of `table`, in the order of their ids, those before the newest `keep`. `like`: of those alone. */
export function beyondNewest(
  { prepare }: Pick<ConsoleDatabase, 'prepare'>,
  table: string,
  keep: number,
  like = 'true',
) {
  return {
    look: (agentId: string): number | null => {
      const newest = prepare(
        `SELECT id FROM ${table} WHERE agent_id = ? AND ${like} ORDER BY id DESC LIMIT 1 OFFSET ?`,
      ).get(agentId, keep) as { id: number } | undefined;
      return newest?.id ?? null;
    },
    remove: (agentId: string, newest: number, limit: number): number =>
      Number(
        prepare(
          `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE agent_id = ? AND id <= ? AND ${like} ORDER BY id LIMIT ?)`,
        ).run(agentId, newest, limit).changes,
      ),
  };
}
