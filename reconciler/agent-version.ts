/** True when semantic version `a` comes before `b` (semver.org, section 11); a pre-release comes before its release. */
export function olderThan(a: string, b: string): boolean {
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  if (left.pre === null || right.pre === null) return left.pre !== null && right.pre === null;
  return comparePre(left.pre, right.pre) < 0;
}

function parts(version: string): { numbers: number[]; pre: string[] | null } {
  const [core = '', ...pre] = (version.split('+')[0] as string).split('-');
  return { numbers: core.split('.').map(Number), pre: pre.length === 0 ? null : pre.join('-').split('.') };
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
    if (leftNumber && rightNumber && left !== right) return Number(left) - Number(right);
    if (leftNumber !== rightNumber) return leftNumber ? -1 : 1;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
