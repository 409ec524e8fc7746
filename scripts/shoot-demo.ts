// Takes the picture of the console that README.md shows, of the demo's own machines: docs/console.png.
//
//   npm run demo -- --once && node scripts/shoot-demo.ts [path of Chromium]
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PICTURE = join(ROOT, 'docs/console.png');
const executablePath = process.argv[2] ?? '/usr/bin/chromium';

const demo = spawn(process.execPath, [join(ROOT, 'examples/demo/main.ts')], {
  env: { ...process.env, NO_BROWSER: '1' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((resolve) => demo.once('exit', resolve));
let door: string | undefined;
for await (const line of createInterface({ input: demo.stdout })) {
  door ??= /^ +Open {2}(http\S+)$/.exec(line)?.[1];
  if (line.includes('Ctrl-C ends it all')) break;
}
if (door === undefined) throw new Error('expected the demo to print the address of its page, found none');
demo.stdout.resume();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 1360, height: 600 }, locale: 'en-GB' });
  await page.goto(door);
  await page.getByText('PARIS-SHOP-01').first().waitFor();
  await page.getByText('On its way').first().waitFor();
  await page.screenshot({ path: PICTURE, animations: 'disabled' });
} finally {
  await browser.close();
  demo.kill('SIGINT');
  await ended;
}
