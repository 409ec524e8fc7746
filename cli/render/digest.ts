const GROUP = 4;
const GROUPS_A_LINE = 8;

/** A SHA-256 as two people read it to each other: groups of four digits, two lines. */
export function spokenDigest(what: string, hex: string): string[] {
  const groups = hex.match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? [];
  return [groups.slice(0, GROUPS_A_LINE), groups.slice(GROUPS_A_LINE)].map(
    (line, index) => `${(index === 0 ? what : '').padEnd(10)}${line.join(' ')}`,
  );
}
