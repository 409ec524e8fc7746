import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { page, ROOT } from './markdown.ts';

interface Row {
  readonly holds: string;
  /** Links to tests: the test's title and its file, relative to the repository. */
  readonly shown: readonly { title: string; file: string }[];
}

/** Sections with a table `| what holds | shown by |`, by their heading. */
function threatsIn(text: string): Map<string, Row[]> {
  const threats = new Map<string, Row[]>();
  for (const section of text.split(/^### /m).slice(1)) {
    const [heading = '', ...lines] = section.split('\n');
    const rows = lines
      .filter((line) => line.startsWith('| ') && !/^\| (What holds|---)/.test(line))
      .map((line) => {
        const [, holds = '', shown = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
        const links = Array.from(shown.matchAll(/\[([^\]]+)\]\(\.\.\/(test\/[^)]+)\)/g));
        return {
          holds,
          shown: links.map(([, title = '', file = '']) => ({ title, file: normalize(file) })),
        };
      });
    if (rows.length > 0) threats.set(heading.trim(), rows);
  }
  return threats;
}

/** Whether a test or a group of tests in the source has this title, as it is written there. */
function hasTitle(source: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => {
    const at = source.indexOf(`${quote}${title}${quote}`);
    return at > 0 && /[([,:]\s*$/.test(source.slice(0, at));
  });
}

describe('security.md', () => {
  const threats = threatsIn(page('docs/security.md'));
  const rows = [...threats].flatMap(([threat, of]) => of.map((row) => ({ threat, ...row })));

  it('has a table for each threat', () => {
    expect(threats.size).toBeGreaterThanOrEqual(19);
    expect(rows.length).toBeGreaterThanOrEqual(55);
  });

  it.each(rows)('$threat: shows “$holds” by tests that are there', ({ shown }) => {
    expect(shown).not.toEqual([]);
    const missing = shown.filter(
      ({ title, file }) =>
        !existsSync(join(ROOT, file)) || !hasTitle(readFileSync(join(ROOT, file), 'utf8'), title),
    );
    expect(missing).toEqual([]);
  });
});

it('takes a title for one where it stands as one, and not in a comment or beside others', () => {
  expect(hasTitle("it('keeps the old version', () => {})", 'keeps the old version')).toBe(true);
  expect(hasTitle("it.each([['a', 1]])(\n  'refuses %s', f)", 'refuses %s')).toBe(true);
  expect(hasTitle('// keeps the old version', 'keeps the old version')).toBe(false);
  expect(hasTitle("it('keeps the old version of it', f)", 'keeps the old version')).toBe(false);
});
