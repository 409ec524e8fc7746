import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';

export interface LayoutShift {
  /** The sum of what moved without input within 500 ms (web.dev: 0.1 is good; 0 is what is aimed at). */
  readonly score: number;
  /** What moved, the worst first. */
  readonly moved: readonly string[];
}

export interface LoadedFile {
  readonly path: string;
  /** As it came over the wire, compressed. */
  readonly bytes: number;
  /** As it is used. */
  readonly inflated: number;
}

export interface FirstLoad {
  /** From the start of the navigation, in milliseconds. */
  readonly firstContentfulPaintMs: number;
  readonly largestContentfulPaintMs: number;
  /** The document and what came with it, without answers of the API. */
  readonly files: readonly LoadedFile[];
  readonly scriptBytes: number;
  readonly styleBytes: number;
  readonly apiBytes: number;
}

/** What observers.js keeps in the page. */
interface Shift {
  readonly score: number;
  readonly moved: string;
}

export const OBSERVERS = readFileSync(new URL('observers.js', import.meta.url), 'utf8');

export async function layoutShifts(page: Page): Promise<LayoutShift> {
  const shifts = await page.evaluate<Shift[]>('seenByTests.shifts');
  const sorted = shifts.toSorted((a, b) => b.score - a.score);
  const score = shifts.reduce((sum, each) => sum + each.score, 0);
  return { score, moved: sorted.map((each) => `${each.score.toFixed(4)} ${each.moved}`) };
}

export async function firstLoad(page: Page): Promise<FirstLoad> {
  const { fcp, lcp, loaded } = await page.evaluate<{ fcp: number; lcp: number; loaded: LoadedFile[] }>(READ);
  const files = loaded.filter(({ path }) => !path.startsWith('/api/'));
  const sum = (of: readonly LoadedFile[]) => of.reduce((bytes, file) => bytes + file.bytes, 0);
  const ending = (end: string) => files.filter(({ path }) => path.endsWith(end));
  return {
    firstContentfulPaintMs: fcp,
    largestContentfulPaintMs: lcp,
    files,
    scriptBytes: sum(ending('.js')),
    styleBytes: sum(ending('.css')),
    apiBytes: sum(loaded.filter(({ path }) => path.startsWith('/api/'))),
  };
}

const READ = `({
  fcp: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
  lcp: seenByTests.lcp,
  loaded: [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(
    ({ name, encodedBodySize, decodedBodySize }) => ({
      path: new URL(name).pathname,
      bytes: encodedBodySize,
      inflated: decodedBodySize,
    }),
  ),
})`;
