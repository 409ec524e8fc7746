import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Example {
  /** The word after the language: ```` ```json manifest-v1 ````. */
  readonly mark: string;
  readonly text: string;
  /** `docs/spec/manifest.md:12` */
  readonly where: string;
}

export function page(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Every Markdown file below a folder, relative to the repository. */
export function pagesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

/** Fenced blocks that say what they are an example of. */
export function examplesIn(path: string): Example[] {
  const examples: Example[] = [];
  const lines = page(path).split('\n');
  for (const [index, line] of lines.entries()) {
    const mark = /^```(?:json|yaml) ([a-z0-9-]+)$/.exec(line)?.[1];
    if (mark === undefined) continue;
    const end = lines.indexOf('```', index);
    const text = `${lines.slice(index + 1, end).join('\n')}\n`;
    examples.push({ mark, text, where: `${path}:${index + 1}` });
  }
  return examples;
}

/** What stands between single backticks, outside fenced blocks. */
export function codeIn(text: string): Set<string> {
  const prose = text.replace(/^```[^]*?^```$/gm, '');
  return new Set(Array.from(prose.matchAll(/`([^`\n]+)`/g), (match) => match[1] as string));
}

/** Rows of a table whose first cell is code: that code and the second cell. */
export function rowsIn(text: string): Map<string, string> {
  const rows = new Map<string, string>();
  for (const [, key = '', second = ''] of text.matchAll(/^\| `([^`]+)` \| ([^|]*) \|/gm)) {
    rows.set(key, second.trim().replace(/^`(.*)`$/, '$1'));
  }
  return rows;
}

/** Targets of links to files of the repository, and `#anchors`. */
export function linksIn(text: string): string[] {
  const prose = text.replace(/^```[^]*?^```$/gm, '');
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1] as string).filter(
    (target) => !/^[a-z]+:/.test(target),
  );
}

/** The anchor that forges make of a heading. */
export function anchorsIn(text: string): Set<string> {
  const headings = Array.from(text.matchAll(/^#{1,6} (.+)$/gm), (match) => match[1] as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}
