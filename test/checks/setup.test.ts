import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { nodeFault, packagesFault } from '../../scripts/setup/installed.mjs';
import { onlyOne } from '../../scripts/setup/only-one.mjs';

const SETUP = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));

function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'edge-agent-setup-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  mkdirSync(join(path, 'node_modules'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function clone(locked: object, installed: object): URL {
  const files = {
    'package.json': JSON.stringify({ devDependencies: { node: '26.10.0' } }),
    'package-lock.json': JSON.stringify({ packages: { '': {}, ...locked } }),
    'node_modules/.package-lock.json': JSON.stringify({ packages: installed }),
  };
  return pathToFileURL(join(folder(files), '/'));
}

const ZOD = { 'node_modules/zod': { version: '4.6.7', integrity: 'sha512-a' } };
const OTHER_PLATFORM = { 'node_modules/@tool/win32': { version: '1.0.0', optional: true } };

test('node_modules that match the lock need no install, packages of other platforms aside', () => {
  expect(packagesFault(clone({ ...ZOD, ...OTHER_PLATFORM }, ZOD))).toBeUndefined();
});

test.each([
  ['missing', {}, 'node_modules/zod 4.6.7 is missing'],
  ['older', { 'node_modules/zod': { version: '4.0.0' } }, 'not the 4.6.7'],
  ['of other content', { 'node_modules/zod': { version: '4.6.7', integrity: 'sha512-b' } }, 'not the 4.6.7'],
  ['no longer named', { ...ZOD, 'node_modules/left': { version: '1.0.0' } }, 'node_modules/left is not in'],
])('a package that is %s makes setup install', (_, installed, why) => {
  expect(packagesFault(clone(ZOD, installed))).toContain(why);
});

test('an interrupted install is no install', () => {
  expect(packagesFault(pathToFileURL(join(folder({ 'package-lock.json': '{}' }), '/')))).toContain(
    'no complete install',
  );
});

test('notices that the package node came without its executable', () => {
  expect(nodeFault(clone(ZOD, ZOD))).toMatch(/expected Node 26.10.0 at .*, found no file/);
});

test('runs the file with its arguments, says nothing itself, and ends with its exit code', () => {
  const file = join(
    folder({ 'told.ts': 'console.log(JSON.stringify(process.argv.slice(2)));\nprocess.exit(5);\n' }),
    'told.ts',
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [SETUP, file, 'a', '--b', 'c d'], {
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({ status: 5, stdout: '["a","--b","c d"]\n', stderr: '' });
});

test('passes signals on', async () => {
  const text =
    "process.on('SIGTERM', () => process.exit(7));\nsetInterval(() => {}, 1000);\nconsole.log('ready');\n";
  const child: ChildProcess = spawn(process.execPath, [SETUP, join(folder({ 'wait.ts': text }), 'wait.ts')]);
  if (child.stdout) await once(child.stdout, 'data');
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(7);
});

test('lets one process work at a time, and passes over a lock whose holder is gone', async () => {
  const gone = spawnSync(process.execPath, ['--version']).pid;
  const lock = pathToFileURL(join(folder({ lock: String(gone) }), 'lock'));
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    order.push(`${name} ends`);
  };
  await Promise.all([onlyOne(lock, work('one')), onlyOne(lock, work('two'))]);
  expect(order).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
});
