/** The known name a typing error away from this one, or that begins with it (`token`: `token_file`); null when none is near enough. */
export function nearestName(name: string, known: readonly unknown[]): string | null {
  const written = name.slice(0, 64).toLowerCase();
  const limit = Math.max(1, Math.floor(written.length / 3));
  let best: { name: string; distance: number } | null = null;
  for (const candidate of known) {
    if (typeof candidate !== 'string') continue;
    const distance = editDistance(written, candidate.toLowerCase());
    if (distance <= limit && (best === null || distance < best.distance))
      best = { name: candidate, distance };
  }
  const longer = known.find((name) => typeof name === 'string' && name.startsWith(`${written}_`));
  return best?.name ?? (longer as string | undefined) ?? null;
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each counting one. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let distance = Math.min(
        (last[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        distance = Math.min(distance, (beforeLast[column - 2] as number) + 1);
      }
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] as number;
}
