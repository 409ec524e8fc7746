// Builds the console's pages when their sources have changed. What needs them calls it first (`npm run console`, the demo, tests).
//
//   node scripts/build-web.ts           into .cache/web, where a console from a checkout finds them
//   node scripts/build-web.ts --watch   the same, and again at every change
import { watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onlyOne } from './setup/only-one.mjs';
import { buildPages, stampOfPages, stampOfSources } from './web/build-pages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.cache/web');
const SETTLE_MS = 150;

await buildWhenChanged();
if (process.argv.includes('--watch')) {
  let waiting = false;
  watch(join(root, 'console/web'), { recursive: true }, () => {
    if (waiting) return;
    waiting = true;
    void (async () => {
      await sleep(SETTLE_MS);
      waiting = false;
      await buildWhenChanged().catch((error: unknown) => console.error(String(error)));
    })();
  });
}

async function buildWhenChanged(): Promise<void> {
  const changed = () => stampOfPages(folder) !== stampOfSources(root);
  if (!changed()) return;
  await onlyOne(new URL('../.cache/web.lock', import.meta.url), async () => {
    if (!changed()) return;
    const started = performance.now();
    await buildPages(root, folder);
    console.error(`console pages: built in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
  });
}
