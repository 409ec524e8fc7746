// Builds what is published: dist/ holds the product's folders as JavaScript, in the same tree.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PRODUCT } from './imports/table.ts';
import { sourceFiles } from './source-files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });

const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(1);

// What is read at run time and is no TypeScript: JSON schemas, the console's pages, scripts that flows run under.
const files = sourceFiles(root, Object.keys(PRODUCT)).filter((file) => !file.endsWith('.ts'));
for (const file of files) {
  mkdirSync(dirname(join(dist, file)), { recursive: true });
  cpSync(join(root, file), join(dist, file));
}

// `../package.json` is found from dist/cli as it is from cli.
const { name, version, type, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, type, license }, null, 2)}\n`);

const main = join(dist, 'cli/main.js');
if (existsSync(main)) {
  const shebang = '#!/usr/bin/env node\n';
  const text = readFileSync(main, 'utf8');
  if (!text.startsWith('#!')) writeFileSync(main, shebang + text);
  chmodSync(main, 0o755);
}
console.log(`dist: built, ${files.length} files copied`);
