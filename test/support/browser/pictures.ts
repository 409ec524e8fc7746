import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BrowserContextOptions, Page } from 'playwright-core';

export type Look = 'light' | 'dark' | 'phone';

/** How pages are looked at: on a desk by day and by night, and on a phone of usual size. */
export const LOOKS: Readonly<Record<Look, BrowserContextOptions>> = {
  light: { viewport: { width: 1_280, height: 800 }, colorScheme: 'light' },
  dark: { viewport: { width: 1_280, height: 800 }, colorScheme: 'dark' },
  phone: {
    viewport: { width: 390, height: 844 },
    colorScheme: 'light',
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
};

/** Kept by the run for a person to look at (CONTRIBUTING.md). */
const PICTURES = fileURLToPath(new URL('../../../.cache/screenshots/', import.meta.url));

/** Longer pages are cut: nobody looks at a picture of twenty screens. */
const HEIGHT_MAX = 3_000;

/**
 * The window is made as high as the page for it: what stays in place (the navigation, a bar at the foot) would lie in the middle of
 * a picture that is taken piece by piece.
 */
export async function shoot(page: Page, name: string, look: Look): Promise<void> {
  await mkdir(PICTURES, { recursive: true });
  const window = page.viewportSize() ?? LOOKS[look].viewport;
  const height = await page.evaluate<number>('document.documentElement.scrollHeight');
  if (window) await page.setViewportSize({ width: window.width, height: Math.min(height, HEIGHT_MAX) });
  const path = `${PICTURES}${name}-${look}.png`;
  await page.screenshot({ path, animations: 'disabled', caret: 'hide' });
  if (window) await page.setViewportSize(window);
}
