import { spawnSync } from 'node:child_process';

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * Does each piece of work once a round, in turn, so that a noisy machine is noisy for all of them. Before each one the disk is
 * given what earlier ones left to write: nobody pays for another's pages.
 */
export async function interleave<K extends string, T>(
  rounds: number,
  work: Readonly<Record<K, (round: number) => Promise<T>>>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(work) as K[];
  const results = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<K, T[]>;
  for (let round = 0; round < rounds; round += 1) {
    // Every second round the other way round, so that coming first is nobody's advantage.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      spawnSync('sync');
      results[name].push(await work[name](round));
    }
  }
  return results;
}

export function medianOf<T>(results: readonly T[], value: (result: T) => number): number {
  return median(results.map(value));
}
