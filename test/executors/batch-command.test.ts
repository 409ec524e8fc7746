import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { directCommand } from '../../executors/subprocess.ts';

const ARGUMENTS = [
  'a b',
  '',
  'x=1,2;3',
  'a&b|c<d>e^f(g)!h',
  '%PATH%',
  '100%',
  'say "hi" & more',
  'C:\\a b\\',
];

it.skipIf(process.platform !== 'win32')('hands a batch file its arguments as they are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'batch-'));
  const bundle = join(folder, 'Jean Dupont & co');
  await mkdir(bundle);
  await writeFile(join(bundle, 'show.cjs'), 'console.log(JSON.stringify(process.argv.slice(2)))');
  const file = join(bundle, 'flow.cmd');
  await writeFile(file, `@"${process.execPath}" "%~dp0show.cjs" %*\r\n`);
  const command = directCommand(file, ARGUMENTS);
  const { stdout } = spawnSync(command?.file ?? '', command?.args ?? [], {
    encoding: 'utf8',
    windowsVerbatimArguments: command?.verbatim ?? false,
  });
  expect(JSON.parse(stdout)).toEqual(ARGUMENTS);
  await rm(folder, { recursive: true, force: true });
});
