import { execFile } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { bundleCommand } from '../../scripts/bundle.ts';
import { SOURCE_MAIN } from '../support/agent-program.ts';
import { createWorld, helloBundle, manifestV1 } from '../support/world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

test('the published command stands alone: it and its children need nothing outside their folder', async () => {
  await using world = await createWorld();
  const dist = join(world.folder, 'elsewhere', 'dist');
  await bundleCommand(ROOT, dist);
  writeFileSync(
    join(dist, 'package.json'),
    JSON.stringify({ name: 'edge-agent', version: '7.8.9', type: 'module' }),
  );
  const main = join(dist, 'cli/main.js');
  expect(statSync(main).mode & 0o111).not.toBe(0);
  expect(readdirSync(join(dist, 'cli')).some((file) => file.startsWith('unpacker-child'))).toBe(true);

  const version = await run(process.execPath, [main, '--output', 'json', 'version']);
  expect(JSON.parse(version.stdout)).toMatchObject({ version: '7.8.9' });

  // The fetcher and the unpacker run under Node's permission model, which gives them `dist` to read.
  await world.release(manifestV1(world, 'a.tar.gz', helloBundle('hello')), { version: 'v1' });
  await run(process.execPath, [main, '--config', world.config, 'reconcile'], { cwd: world.folder });
  expect(world.current().flows['default']?.version).toBe('v1');
});

// All other tests start the built command, unless the environment says otherwise (test/support/agent-program.ts); this one starts
// what a checkout starts, on purpose.
test('the command runs from its sources: it and its children need nothing built', async () => {
  await using world = await createWorld();
  await world.release(manifestV1(world, 'a.tar.gz', helloBundle('from source')), { version: 'v1' });
  const fromSource = (...args: string[]) =>
    run(process.execPath, [SOURCE_MAIN, '--config', world.config, '--output', 'json', ...args], {
      cwd: world.folder,
    });
  await fromSource('reconcile');
  expect(world.current().flows['default']?.version).toBe('v1');
  const { stdout } = await fromSource('trigger', 'default', '--wait');
  expect(JSON.parse(stdout)).toMatchObject({ status: 'succeeded', stdout: 'from source v1\n' });
});
