/**
 * Whether objects and lists lie in each other at most so deep; something flat has one level, a number none. Without recursion: a
 * few kilobytes of brackets use up the stack of whatever recurses, and SQLite reads no JSON beyond a thousand levels.
 */
export function isWithinDepth(value: unknown, most: number): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > most) return false;
    level = level.flatMap((each) => Object.values(each).filter(isContainer));
  }
  return true;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
